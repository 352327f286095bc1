import { join } from 'node:path'
import { runCommand } from '@orderly/stack'
import { type Arguments, type PartName, readArguments } from './arguments.ts'
import { currentLoad, describeMachine } from './machine.ts'
import type { Part } from './part.ts'
import { benchCodec } from './parts/codec.ts'
import { benchInventory } from './parts/inventory.ts'
import { benchOrder } from './parts/order.ts'
import { benchStage } from './parts/stage.ts'
import { createPeers } from './peers/toolchains.ts'
import { describeTargets, saveReport } from './report/part-report.ts'
import { withServers } from './servers.ts'

const parts: Partial<Record<PartName, Part>> = {
  stage: benchStage,
  order: benchOrder,
  inventory: benchInventory
}

const startedAtMs = performance.now()
const say = (text: string) =>
  process.stderr.write(`${((performance.now() - startedAtMs) / 1_000).toFixed(0).padStart(5)} s  ${text}\n`)

await runCommand(async context => {
  const given = readOrExplain()
  if (given === undefined) return 64
  const results = join(import.meta.dirname, 'results')
  if (given.parts.includes('codec')) process.stdout.write(await benchCodec())
  const others = given.parts.filter(name => name !== 'codec')
  if (others.length === 0) return 0
  return withServers(context, async servers => {
    const peers = createPeers(servers.supervisor, say)
    for (const name of others) {
      context.signal.throwIfAborted()
      say(name)
      const loadBefore = currentLoad()
      const report = await (parts[name] as Part)({ arguments: given, servers, peers, results, say })
      const machine = describeMachine([loadBefore, currentLoad()])
      // A quick run is for a look; what is kept are whole ones.
      const directory = given.quick ? join(results, 'quick') : results
      const markdown = [report.markdown, ...peers.missing].join('\n\n')
      const page = await saveReport(directory, name, { ...report, markdown }, machine)
      process.stdout.write(`\n# ${report.title}\n\n${markdown}\n\n`)
      if (report.targets?.length) process.stdout.write(`${describeTargets(report.targets)}\n\n`)
      say(`written to ${page}`)
    }
    return 0
  })
})

function readOrExplain(): Arguments | undefined {
  try {
    return readArguments(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    return undefined
  }
}
