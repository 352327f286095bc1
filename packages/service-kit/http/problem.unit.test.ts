import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const project = join(import.meta.dirname, '../../..')
const sources = [
  'packages/service-kit/http/*.ts',
  'packages/callers/guard/*.ts',
  'services/*/from-http/*.ts',
  'services/order/domain/order-wish.ts'
]
/** Errors of libraries, a keyword, and reasons why an order failed. */
const others = /^(FST|ERR|HPE)_|^(ECONNRESET|EADDRINUSE|NOT|OUT_OF_STOCK|UNKNOWN_SKU)$/

test('every code of a problem, and no other, is in docs/problems.md', () => {
  const codes = globSync(sources, { cwd: project })
    .filter(file => !file.endsWith('.test.ts'))
    .flatMap(file => [...readFileSync(join(project, file), 'utf8').matchAll(/'([A-Z]+(?:_[A-Z]+)*)'/g)])
    .map(([, code = '']) => code)
    .filter(code => /[A-Z]{3}/.test(code) && !others.test(code))
  const rows = readFileSync(join(project, 'docs/problems.md'), 'utf8').matchAll(/^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \|/gm)
  const documented = [...rows].flatMap(([, cell = '']) => cell.replaceAll('`', '').split(', '))
  assert.deepEqual([...new Set(documented)].toSorted(), [...new Set(codes)].toSorted())
})
