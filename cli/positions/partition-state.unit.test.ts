import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type GroupPartition, stateOf } from './partition-state.ts'

test('the state of a partition is the one that its stage finds when it starts', () => {
  const log = { topicID: 'now', beginning: 0n, end: 40n }
  const stored = {
    ...{ groupID: 'group', topic: 'orders', partition: 0, topicID: 'now', nextOffset: 30, leaderEpoch: 0 },
    ...{ committedOffset: 20, uncommittedSince: null, updatedAt: new Date(0) }
  }
  const committed = (offset: bigint, topicID = 'now') => ({ offset, topicID })
  const cases: [Partial<GroupPartition>, string][] = [
    [{ stored, committed: committed(25n), log }, 'ok'],
    [{ stored, committed: committed(30n), log }, 'ok'],
    [{ log }, 'not read yet'],
    [{ stored: { ...stored, committedOffset: null }, log }, 'not read yet'],
    [{ committed: { offset: 7n, topicID: undefined }, log }, 'set by a tool'],
    [{ stored, committed: committed(25n) }, 'no leader'],
    [{ stored, committed: committed(25n), isThere: false }, 'no such partition'],
    [{ stored: { ...stored, topicID: 'before' }, log }, 'topic recreated'],
    [{ stored: { ...stored, topicID: 'before' }, committed: committed(9n, 'before'), log }, 'topic recreated'],
    [{ stored, committed: committed(25n), log: { ...log, end: 29n } }, 'log truncated'],
    [{ stored, log }, 'offsets missing'],
    [{ stored, committed: committed(19n), log }, 'offsets missing'],
    [{ stored, committed: committed(31n), log }, 'database behind'],
    [{ committed: committed(31n), log }, 'database behind'],
    [{ stored: { ...stored, topicID: 'before' }, committed: committed(9n), log }, 'database behind']
  ]
  for (const [own, expected] of cases) {
    const unknown = { stored: undefined, committed: undefined, log: undefined }
    const partition = { topic: 'orders', partition: 0, isThere: true, ...unknown, ...own }
    assert.equal(stateOf(partition), expected)
  }
})
