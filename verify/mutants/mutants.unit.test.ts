import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { projectDirectory } from '@orderly/stack'
import { guarantees } from '../checker/check.ts'
import { applyPatch, assertPlanted } from './mutant.ts'
import { mutants } from './mutants.ts'

for (const { name, patches } of mutants) {
  test(`mutant ${name} still fits the source`, async () => {
    for (const patch of patches) {
      const source = await readFile(join(projectDirectory, patch.file), 'utf8')
      assert.notEqual(applyPatch(source, patch), source)
    }
  })
}

test('there are a dozen mutants at least, each with a name of its own and a guarantee that it breaks', () => {
  assert.ok(mutants.length >= 12)
  assert.equal(new Set(mutants.map(({ name }) => name)).size, mutants.length)
  const known = guarantees.map(({ number }) => number)
  for (const { breaks } of mutants) assert.ok(breaks.length > 0 && breaks.every(number => known.includes(number)))
})

test('a patch whose text is not there, or there twice, is refused', () => {
  const patch = { file: 'a.ts', find: 'x', replace: 'y' }
  assert.equal(applyPatch('axb', patch), 'ayb')
  assert.throws(() => applyPatch('ab', patch), /stands 0 times in a\.ts/)
  assert.throws(() => applyPatch('axbx', patch), /stands 2 times in a\.ts/)
})

test('a mutant of which a file was never loaded fails its run', () => {
  const [mutant] = mutants
  assert.ok(mutant)
  assert.doesNotThrow(() => assertPlanted(mutant, new Set(mutant.patches.map(({ file }) => file))))
  assert.throws(() => assertPlanted(mutant, new Set()), /was not planted: no service loaded/)
})
