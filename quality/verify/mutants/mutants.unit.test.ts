import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { projectDirectory } from '@orderly/launcher'
import { guarantees } from '../checker/check.ts'
import { applyPatch, applyPatches, whyInactive } from './mutant.ts'
import { mutants } from './mutants.ts'

for (const { name, patches } of mutants) {
  test(`mutant ${name} applies to the source`, async () => {
    for (const patch of patches) {
      const source = await readFile(join(projectDirectory, patch.file), 'utf8')
      assert.notEqual(applyPatch(source, patch), source)
    }
  })
}

test('there are at least 40 mutants, each with a unique name and a known guarantee that it violates', () => {
  assert.ok(mutants.length >= 40)
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

test('the offset of each patch is that of its first changed character, after all patches of the file', () => {
  const patch = (find: string, replace: string) => ({ file: 'a.ts', find, replace })
  const { source, offsets } = applyPatches('one two three', [
    patch('two', 'twelve'),
    patch('one', 'once'),
    patch('ee', '')
  ])
  assert.equal(source, 'once twelve thr')
  assert.deepEqual(
    offsets.map(offset => source.slice(offset)),
    ['elve thr', 'ce twelve thr', '']
  )
})

test('a mutant is inactive if a file with a patch was never loaded, or no patch was executed', () => {
  const mutant = mutants.find(({ patches }) => new Set(patches.map(({ file }) => file)).size > 1)
  assert.ok(mutant)
  const files = mutant.patches.map(({ file }) => file)
  assert.equal(whyInactive(mutant, { planted: new Set(files), executed: new Set([1]) }), undefined)
  assert.equal(whyInactive(mutant, { planted: new Set(files), executed: new Set() }), 'no process executed a patch')
  const one = whyInactive(mutant, { planted: new Set(files.slice(0, 1)), executed: new Set([0]) })
  assert.match(one ?? '', /^no process loaded /)
})
