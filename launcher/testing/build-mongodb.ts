/**
 * Builds the MongoDB-compatible server that `audit-mongodb.int.test.ts` needs: FerretDB, with the
 * Go toolchain. The build takes a few minutes once and is kept in `.orderly/tools`. Without it that
 * test is skipped.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { mongodbProgram } from './mongodb.ts'

const program = await mongodbProgram()
if (!existsSync(program)) {
  process.stdout.write('building the MongoDB-compatible server (a few minutes, once)\n')
  await mkdir(dirname(program), { recursive: true })
  const unfinished = `${program}.${process.pid}`
  const args = ['build', '-tags', 'ferretdb_sqlite', '-o', unfinished, '.']
  try {
    const env = { ...process.env, CGO_ENABLED: '0' }
    await promisify(execFile)('go', args, { cwd: join(import.meta.dirname, 'mongodb'), env })
    await rename(unfinished, program)
  } catch (error) {
    const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string }
    const reason = code === 'ENOENT' ? '`go` is not on PATH: install Go 1.26 or newer' : stderr || message
    process.stderr.write(`The server could not be built: ${reason}\n`)
    process.exitCode = 1
  }
}
