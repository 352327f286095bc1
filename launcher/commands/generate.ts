import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { CommandSpec } from '@orderly/command-line'
import { projectDirectory } from '../directories.ts'
import { runCommand } from './command.ts'
import { generators } from './generators.ts'

const spec: CommandSpec = {
  name: 'npm run generate --',
  summary: 'write all generated files of the project',
  examples: ['npm run generate'],
  options: {}
}

/** Stops at the first generator that fails. */
await runCommand(spec, async ({ signal }) => {
  for (const { name, program } of generators) {
    const child = spawn(process.execPath, [program], {
      cwd: projectDirectory,
      stdio: ['ignore', 'inherit', 'inherit'],
      signal
    })
    const [code] = (await once(child, 'close')) as [number | null]
    process.stdout.write(`${code === 0 ? 'ok    ' : 'FAILED'}  ${name} (${program})\n`)
    if (code !== 0) return 1
  }
  return 0
})
