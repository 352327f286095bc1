import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { projectDirectory } from '@orderly/launcher'
import { guarantees } from '../checker/check.ts'
import { applyPatch, assertPlanted } from './mutant.ts'
import { mutants } from './mutants.ts'

for (const { name, patches } of mutants) {
  test(`mutant ${name} applies to the source`, async () => {
    for (const patch of patches) {
      const source = await readFile(join(projectDirectory, patch.file), 'utf8')
      assert.notEqual(applyPatch(source, patch), source)
    }
  })
}

test('there are at least 12 mutants, each with a unique name and a known guarantee that it violates', () => {
  assert.ok(mutants.length >= 12)
  assert.equal(new Set(mutants.map(({ name }) => name)).size, mutants.length)
  const known = guarantees.map(({ number }) => number)
  for (const { breaks } of mutants) assert.ok(breaks.length > 0 && breaks.every(number => known.includes(number)))
})

test('a patch is rejected unless its text occurs exactly once', () => {
  const patch = { file: 'a.ts', find: 'x', replace: 'y' }
  assert.equal(applyPatch('axb', patch), 'ayb')
  assert.throws(() => applyPatch('ab', patch), /a\.ts contains its text 0 times/)
  assert.throws(() => applyPatch('axbx', patch), /a\.ts contains its text 2 times/)
})

test('a run fails if a file of its mutant was never loaded', () => {
  const [mutant] = mutants
  assert.ok(mutant)
  assert.doesNotThrow(() => assertPlanted(mutant, new Set(mutant.patches.map(({ file }) => file))))
  assert.throws(() => assertPlanted(mutant, new Set()), /was not planted: no service loaded/)
})
