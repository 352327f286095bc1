import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandSpec } from '@orderly/command-line'
import { projectDirectory } from '../directories.ts'
import { runCommand } from './command.ts'
import { generators } from './generators.ts'

interface Check {
  readonly name: string
  /** Program to run; Node by default. */
  readonly command?: string
  readonly args: readonly string[]
  /** Command that fixes the findings, if there is one. */
  readonly remedy?: string
}

const sources = ['contracts', 'packages', 'services', 'launcher', 'cli', 'deploy', 'quality'].filter(name =>
  existsSync(join(projectDirectory, name))
)

const checks: readonly Check[] = [
  {
    name: 'format and lint',
    args: ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.'],
    remedy: 'npm run format'
  },
  { name: 'types', args: ['node_modules/typescript/bin/tsc', '-p', '.'] },
  {
    name: 'layers',
    args: [
      'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs',
      '--config',
      '.dependency-cruiser.mjs',
      ...sources
    ]
  },
  { name: 'unused code and dependencies', args: ['node_modules/knip/bin/knip.js', '--no-progress'] },
  ...generators.map(({ name, program }) => ({
    name: `generated ${name}`,
    args: [program, '--check'],
    remedy: 'npm run generate'
  })),
  { name: 'OpenAPI rules', args: ['packages/client/lint-openapi.ts'] },
  { name: 'prose', args: ['launcher/documentation/check-prose.ts'] },
  { name: 'links of documents', args: ['launcher/documentation/check-links.ts'] },
  { name: 'examples in documents', args: ['launcher/documentation/check-examples.ts'] },
  { name: 'versions of contracts', args: ['contracts/check-versions.ts'] },
  // Without this check, only users without installed packages would notice an inconsistent lock
  // file.
  npmCheck('lock file', ['ci', '--dry-run', '--ignore-scripts', '--loglevel=error'])
]

/** Uses the npm that runs this command, or else the one on PATH. */
function npmCheck(name: string, args: readonly string[]): Check {
  const npm = process.env.npm_execpath
  return npm === undefined ? { name, command: 'npm', args } : { name, args: [npm, ...args] }
}

const spec: CommandSpec = {
  name: 'npm run check --',
  summary: 'run all checks that need no servers: format, types, layers, generated files, documents',
  examples: ['npm run check'],
  options: {}
}

/** Runs two checks at a time and prints the whole output of each failed check. */
await runCommand(spec, async ({ signal }) => {
  const waiting = [...checks]
  let failures = 0
  const work = async () => {
    for (let check = waiting.shift(); check !== undefined && !signal.aborted; check = waiting.shift()) {
      const startedAt = performance.now()
      const { passed, output } = await run(check, signal)
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
      if (passed) process.stdout.write(`ok      ${check.name} (${seconds} s)\n`)
      else {
        failures++
        const remedy = check.remedy === undefined ? '' : `; fix it with: ${check.remedy}`
        process.stdout.write(`FAILED  ${check.name} (${seconds} s)${remedy}\n${output.trimEnd()}\n`)
      }
    }
  }
  await Promise.all([work(), work()])
  return failures === 0 ? 0 : 1
})

async function run(
  { command = process.execPath, args }: Check,
  signal: AbortSignal
): Promise<{ passed: boolean; output: string }> {
  const child = spawn(command, args, {
    cwd: projectDirectory,
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const stop = () => child.kill()
  signal.addEventListener('abort', stop, { once: true })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (output += text))
  const [code] = await once(child, 'close')
  signal.removeEventListener('abort', stop)
  return { passed: code === 0, output }
}
