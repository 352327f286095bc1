import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { projectDirectory } from '../directories.ts'

const run = promisify(execFile)
const page = readFileSync(join(projectDirectory, 'docs/tutorial/your-own-event.md'), 'utf8')

test('the files and edits of the tutorial type-check, and its test passes', { timeout: 300_000 }, async t => {
  const directory = copyProject(t)
  for (const [, file = '', text = ''] of page.matchAll(/Create\s`([^`]+)`:\n\n```\w+\n([\s\S]*?)```/g)) {
    mkdirSync(dirname(join(directory, file)), { recursive: true })
    writeFileSync(join(directory, file), text)
  }
  for (const [, file = '', diff = ''] of page.matchAll(/Edit\s`([^`]+)`:\n\n```diff\n([\s\S]*?)```/g))
    writeFileSync(join(directory, file), applyDiff(readFileSync(join(directory, file), 'utf8'), diff))
  // A runner inside of a test would report to the outer one.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const node = (...args: string[]) => run(process.execPath, args, { cwd: directory, env })
  await node('contracts/generate.ts')
  await node('node_modules/typescript/bin/tsc', '-p', '.')
  const { stdout } = await node('--test', 'services/review/consumer/review-stage.unit.test.ts')
  assert.match(stdout, /pass 1\b/)
})

/**
 * Copies the sources. Packages are links to the installed ones, except those of the project itself.
 */
function copyProject(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-tutorial-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const files = execFileSync('git', ['ls-files', '*.ts', '*.json', '*.avsc', '*.js', '*.mjs'], {
    cwd: projectDirectory,
    encoding: 'utf8'
  })
  for (const file of files.trim().split('\n')) cpSync(join(projectDirectory, file), join(directory, file))
  const modules = join(projectDirectory, 'node_modules')
  mkdirSync(join(directory, 'node_modules', '@orderly'), { recursive: true })
  for (const name of readdirSync(modules))
    if (name !== '@orderly') symlinkSync(join(modules, name), join(directory, 'node_modules', name))
  const workspaces = [
    'contracts',
    'launcher',
    ...readdirSync(join(projectDirectory, 'packages')).map(name => `packages/${name}`)
  ]
  for (const workspace of workspaces) {
    const name = workspace.replace('packages/', '')
    symlinkSync(join(directory, workspace), join(directory, 'node_modules', '@orderly', name))
    const own = join(projectDirectory, workspace, 'node_modules')
    if (existsSync(own)) symlinkSync(own, join(directory, workspace, 'node_modules'))
  }
  return directory
}

/** Applies hunks without line numbers: each one is found by its unchanged lines. */
function applyDiff(source: string, diff: string): string {
  return diff
    .split(/^@@.*\n/m)
    .filter(hunk => hunk !== '')
    .reduce((text, hunk) => {
      const lines = hunk.trimEnd().split('\n')
      const before = lines
        .filter(line => line.startsWith(' '))
        .map(line => line.slice(1))
        .join('\n')
      assert.ok(text.includes(`${before}\n`), `the tutorial edits lines that do not exist:\n${before}`)
      return text.replace(`${before}\n`, () => `${lines.map(line => line.slice(1)).join('\n')}\n`)
    }, source)
}
