import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { CommandSpec } from '@orderly/command-line'
import { projectDirectory } from '../directories.ts'
import { runCommand } from './command.ts'

const biome = 'node_modules/@biomejs/biome/bin/biome'

const spec: CommandSpec = {
  name: 'npm run format --',
  summary: 'format the code and fix what the linter can fix',
  argument: '[PATH...]',
  examples: ['npm run format', 'npm run format -- launcher cli'],
  options: {}
}

await runCommand(spec, async ({ positionals, signal }) => {
  const paths = positionals.length > 0 ? positionals : ['.']
  const child = spawn(process.execPath, [biome, 'check', '--write', ...paths], {
    cwd: projectDirectory,
    stdio: ['ignore', 'inherit', 'inherit'],
    signal
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return code ?? 1
})
