import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { projectDirectory } from '../directories.ts'
import { npmScripts } from './commands.ts'

const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  cwd: projectDirectory,
  encoding: 'utf8'
})
const files = listed.split('\0').filter(file => /\.(md|ts|mjs|json)$/.test(file) && !file.startsWith('docs/site/'))
const read = (file: string) => readFileSync(join(projectDirectory, file), 'utf8')

describe('commands in documents and messages', () => {
  test('every npm script exists', () => {
    const scripts = new Set(Object.keys(npmScripts()))
    const unknown = files.flatMap(file =>
      [...read(file).matchAll(/npm run (?:--silent )?([a-z](?:[\w:-]*\w)?)/g)]
        .filter(([, name]) => !scripts.has(name as string))
        .map(([text]) => `${file}: ${text}`)
    )
    assert.deepEqual(unknown, [])
  })

  test('no document runs a TypeScript file with the Node of the host, which may be too old', () => {
    // Readers of a published package run their own Node, whose release the package names.
    const isExempt = (file: string) => file.startsWith('docs/decisions/') || file === 'packages/kafka/README.md'
    const direct = files
      .filter(file => file.endsWith('.md') && !isExempt(file))
      .flatMap(file => [...read(file).matchAll(/\bnode \S+\.ts\b/g)].map(([text]) => `${file}: ${text}`))
    assert.deepEqual(direct, [])
  })

  test('every npm script starts through bootstrap.mjs, which needs only Node 20', () => {
    const packages = files.filter(file => /(^|\/)package\.json$/.test(file))
    const direct = packages.flatMap(file =>
      Object.entries((JSON.parse(read(file)) as { scripts?: Record<string, string> }).scripts ?? {})
        .filter(([, script]) => !script.startsWith('exec node bootstrap.mjs '))
        .map(([name]) => `${file}: ${name}`)
    )
    assert.deepEqual(direct, [])
  })
})
