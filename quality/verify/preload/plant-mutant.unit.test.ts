import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { projectDirectory } from '@orderly/launcher'
import { isExecuted } from './executed-patches.ts'
import { environmentNames, executedFileOf, plantedFileOf } from './journal.ts'

const decideFile = pathToFileURL(join(projectDirectory, 'services/inventory/domain/decide-order.ts')).href

interface Options {
  readonly journal?: string
  /** False for a process that loads the decision, but does not make one. */
  readonly isDecided?: boolean
}

/** Returns the outcome of an order for the last piece in a process with this mutant. */
async function decideLastPiece(
  mutant: string | undefined,
  { journal, isDecided = true }: Options = {}
): Promise<string> {
  const program = `const { decideOrder } = await import('${decideFile}')
    const order = { orderID: 'o', userID: 'u', items: [{ sku: 's', quantity: 1 }] }
    const unlimited = { limits: { seconds: new Map(), quantity: new Map() }, held: new Map() }
    if (${isDecided}) console.log(decideOrder(order, new Map([["s", 1]]), unlimited, { atMs: 0, nextSequence: () => 1 }).kind)`
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [`--import=${import.meta.resolve('./plant-mutant.ts')}`, '--input-type=module', '--eval', program],
    {
      env: {
        ...process.env,
        ...(mutant !== undefined && { [environmentNames.mutant]: mutant }),
        ...(journal !== undefined && { [environmentNames.journal]: journal })
      }
    }
  )
  return stdout.trim()
}

test('a process runs the mutant, and the unmodified source without one', async () => {
  assert.equal(await decideLastPiece(undefined), 'reserved')
  assert.equal(await decideLastPiece('off-by-one'), 'failed')
})

test('a process reports the files into which it has planted its mutant', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'planted-'))
  t.after(() => rm(directory, { recursive: true }))
  const journal = join(directory, 'journal')
  await decideLastPiece('off-by-one', { journal })
  assert.equal(await readFile(plantedFileOf(journal), 'utf8'), 'services/inventory/domain/decide-order.ts\n')
})

test('a process reports the number of each patch that it has executed', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'planted-'))
  t.after(() => rm(directory, { recursive: true }))
  const [loaded, executed] = [join(directory, 'loaded'), join(directory, 'executed')]
  await decideLastPiece('off-by-one', { journal: loaded, isDecided: false })
  await decideLastPiece('off-by-one', { journal: executed })
  await assert.rejects(readFile(executedFileOf(loaded)), { code: 'ENOENT' })
  assert.equal(await readFile(executedFileOf(executed), 'utf8'), '0\n')
})

test('the innermost block around a patch determines whether it was executed', () => {
  const range = (startOffset: number, endOffset: number, count: number) => ({ startOffset, endOffset, count })
  const functions = [
    { functionName: '', isBlockCoverage: true, ranges: [range(0, 100, 1)] },
    { functionName: 'decide', isBlockCoverage: true, ranges: [range(10, 50, 1), range(20, 30, 0)] },
    { functionName: 'unused', isBlockCoverage: false, ranges: [range(60, 90, 0)] }
  ]
  const executed = [5, 15, 25, 40, 70, 95, 100].filter(offset => isExecuted({ functions }, offset))
  assert.deepEqual(executed, [5, 15, 40, 95])
})

test('an unknown mutant stops the process', async () => {
  await assert.rejects(decideLastPiece('no-such-mutant'), /unknown mutant "no-such-mutant"/)
})
