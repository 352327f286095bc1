import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { projectDirectory } from '../directories.ts'
import { runCommand } from './command.ts'
import { generators } from './generators.ts'

/**
 * Writes all generated files of the project (`npm run generate`). Stops at the first generator that
 * fails.
 */
await runCommand(async ({ signal }) => {
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
