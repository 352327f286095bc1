import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildDashboard } from './dashboard.ts'
import { dashboards } from './dashboards/index.ts'

/**
 * Writes the dashboards in Grafana's format to `generated/` (`npm run generate`). With `--check` it
 * writes nothing and fails if the files differ.
 */
const directory = join(import.meta.dirname, 'generated')
const files = new Map(
  dashboards.map(spec => [`${spec.uid}.json`, `${JSON.stringify(buildDashboard(spec), undefined, 2)}\n`])
)

mkdirSync(directory, { recursive: true })
const others = readdirSync(directory).filter(name => !files.has(name))
if (process.argv.includes('--check')) {
  const differing = [...files].filter(([name, text]) => readOrNothing(name) !== text).map(([name]) => name)
  for (const name of [...differing, ...others])
    process.stderr.write(`deploy/grafana/generated/${name} is out of date: run \`npm run generate\`\n`)
  process.exitCode = differing.length + others.length === 0 ? 0 : 1
} else {
  for (const [name, text] of files) writeFileSync(join(directory, name), text)
  for (const name of others) rmSync(join(directory, name))
}

function readOrNothing(name: string): string {
  try {
    return readFileSync(join(directory, name), 'utf8')
  } catch {
    return ''
  }
}
