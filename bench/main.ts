import { benchCodec } from './codec.ts'
import { benchStage } from './stage.ts'

const benches: Readonly<Record<string, () => Promise<string>>> = { codec: benchCodec, stage: benchStage }

const [name = ''] = process.argv.slice(2)
const bench = benches[name]
if (bench === undefined) {
  process.stderr.write(`Say which: npm run bench -- ${Object.keys(benches).join(' | ')}\n`)
  process.exitCode = 64
} else {
  process.stdout.write(await bench())
}
