import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type CommandSpec, readArguments } from '@orderly/command-line'
import { mongodbProgram } from './mongodb.ts'

const spec: CommandSpec = {
  name: 'npm run build:mongodb --',
  summary: 'build the MongoDB-compatible server that the test of the audit needs (FerretDB), with Go',
  examples: ['npm run build:mongodb'],
  options: {},
  notes: 'It takes a few minutes once, and is kept in .orderly/tools. Without it, audit-mongodb.int.test.ts is skipped.'
}
readArguments(spec)

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
