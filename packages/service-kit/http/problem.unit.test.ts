import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { createTestHttp } from '../testing/index.ts'
import { problem } from './problem.ts'
import { problemsTable, problemTypes } from './problem-types.ts'

const project = join(import.meta.dirname, '../../..')
const read = (file: string) => readFileSync(join(project, file), 'utf8')

describe('problems', () => {
  test('docs/reference/error-codes.md contains the table of the catalogue', () => {
    assert.ok(
      read('docs/reference/error-codes.md').includes(`\n${problemsTable()}\n`),
      'run packages/service-kit/testing/write-problems.ts'
    )
  })

  test('every code of the catalogue is used', () => {
    const sources = ['packages/service-kit/http/*.ts', 'packages/callers/guard/*.ts', 'services/*/{http,domain}/*.ts']
    const used = globSync(sources, { cwd: project })
      .filter(file => !file.endsWith('.test.ts') && !file.endsWith('problem-types.ts'))
      .map(read)
      .join()
    const unused = Object.keys(problemTypes).filter(code => !used.includes(`'${code}'`))
    assert.deepEqual(unused, [])
  })

  test('the type of a problem links to its description in every service', async t => {
    const { http } = createTestHttp(t)
    const [path, fragment] = problem(404, 'NOT_FOUND', '').type.split('#')
    const page = await http.inject(path as string)
    assert.equal(page.statusCode, 200)
    assert.match(page.body, new RegExp(`id="${fragment}"`))
  })
})
