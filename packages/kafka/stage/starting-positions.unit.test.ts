import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isAdded, policyFor } from './start-at.ts'
import { type PartitionFacts, startOf } from './starting-positions.ts'

const place = { topic: 'orders', partition: 2 }
const now = '11111111-1111-4111-8111-111111111111'
const before = '22222222-2222-4222-8222-222222222222'
const facts: PartitionFacts = {
  ...{ ...place, topicID: now, committed: undefined, formerTopicID: undefined, store: undefined },
  ...{ log: { beginning: 3n, end: 40n }, epochEnd: undefined }
}
const committed = { ...place, offset: 30n, leaderEpoch: 4, topicID: now }
const epochEnd = { leaderEpoch: 4, endOffset: 40n }
const atBeginning = { ...place, topicID: now, offset: 3n, leaderEpoch: -1 }
const logTo = (end: bigint) => ({ beginning: 3n, end })

describe('the starting position without stored positions', () => {
  test('is the committed offset if the log reached it in the committed epoch', () => {
    const start = startOf({ ...facts, committed, epochEnd: { leaderEpoch: 4, endOffset: 30n } })
    assert.deepEqual(start, { ...place, topicID: now, offset: 30n, leaderEpoch: 4 })
  })

  test('is the beginning of the log without a committed offset', () => {
    assert.deepEqual(startOf(facts), { ...atBeginning, mustCommit: false })
    assert.deepEqual(startOf({ ...facts, formerTopicID: now }), { ...atBeginning, mustCommit: false })
  })

  test('is the end of the log for a new group that starts at the latest record, and is committed immediately', () => {
    const start = startOf({ ...facts, startAt: 'latest' })
    assert.deepEqual(start, { ...atBeginning, offset: 40n, mustCommit: true })
    assert.equal(startOf({ ...facts, startAt: 'latest', committed, epochEnd }).offset, 30n)
    assert.throws(() => startOf({ ...facts, startAt: 'latest', log: undefined }), { code: 'LEADER_NOT_AVAILABLE' })
  })

  test('is refused without a committed offset if the group must have one', () => {
    assert.equal(startOf({ ...facts, startAt: 'none' }).refusal, 'NO_COMMITTED_OFFSET')
    assert.equal(startOf({ ...facts, startAt: 'none', committed, epochEnd }).refusal, undefined)
  })

  test('is the beginning of a recreated topic, wherever a new group starts', () => {
    for (const startAt of ['latest', 'none'] as const) {
      const { incident, ...start } = startOf({ ...facts, startAt, formerTopicID: before })
      assert.deepEqual(start, { ...atBeginning, mustCommit: true })
      assert.equal(incident?.kind, 'topic_recreated')
    }
  })

  test('ignores an offset of another topic with the same name, and reports the topic as recreated', () => {
    for (const found of [{ committed: { ...committed, topicID: before } }, { formerTopicID: before }]) {
      const { incident, ...start } = startOf({ ...facts, ...found })
      assert.deepEqual(start, { ...atBeginning, mustCommit: true })
      assert.equal(incident?.kind, 'topic_recreated')
    }
  })

  test('is an offset that a tool committed, although it has no topic id', () => {
    const start = startOf({ ...facts, committed: { ...committed, topicID: undefined, leaderEpoch: -1 } })
    assert.deepEqual([start.offset, start.incident], [30n, undefined])
  })

  test('is where the log ended in the committed epoch, if that is earlier, even if the log is longer now', () => {
    const end = { leaderEpoch: 3, endOffset: 25n }
    const { incident, ...start } = startOf({ ...facts, log: logTo(90n), committed, epochEnd: end })
    assert.deepEqual(start, { ...place, topicID: now, offset: 25n, leaderEpoch: 3, mustCommit: true })
    assert.deepEqual([incident?.kind, incident?.fromOffset, incident?.toOffset], ['log_truncated', 30n, 25n])
  })

  test('is the end of a shorter log if the epoch is unknown', () => {
    const { incident, ...start } = startOf({ ...facts, log: logTo(20n), committed })
    assert.deepEqual(start, { ...place, topicID: now, offset: 20n, leaderEpoch: -1, mustCommit: true })
    assert.equal(incident?.kind, 'log_truncated')
    assert.equal(startOf({ ...facts, committed: { ...committed, leaderEpoch: -1 } }).incident, undefined)
  })

  test('is the committed offset for a partition without a leader, and undecided without one', () => {
    assert.equal(startOf({ ...facts, committed, log: undefined }).offset, 30n)
    assert.throws(() => startOf({ ...facts, log: undefined }), { code: 'LEADER_NOT_AVAILABLE', retryable: true })
  })
})

describe('the starting position with stored positions', () => {
  const stored = { ...place, topicID: now, offset: 34n, leaderEpoch: 4, committedOffset: 28n }
  const stop = (more: Partial<NonNullable<PartitionFacts['store']>> = {}) => ({
    ...{ whenBehind: 'stop' as const, stored, isAdded: true },
    ...more
  })
  const rewind = (more: Parameters<typeof stop>[0] = {}) => ({ ...stop(more), whenBehind: 'rewind' as const })
  const known: PartitionFacts = { ...facts, committed, epochEnd, store: stop() }

  test('is the committed offset, not the later stored position', () => {
    const start = startOf(known)
    assert.deepEqual(start, { ...place, topicID: now, offset: 30n, leaderEpoch: 4, savedCommitted: 28n })
    assert.equal(startOf({ ...known, store: stop({ stored: { ...stored, offset: 30n } }) }).refusal, undefined)
  })

  test('is stored and committed before a new partition is read', () => {
    const start = startOf({ ...facts, store: stop({ stored: undefined, isAdded: false }) })
    const position = { ...atBeginning, committedOffset: undefined }
    const change = { former: undefined, position }
    assert.deepEqual(start, { ...atBeginning, change, mustCommit: true, savedCommitted: undefined })
    assert.equal(startOf({ ...facts, store: stop({ stored: undefined }) }).incident?.kind, 'partitions_added')
  })

  test('is the beginning for a new partition that was stored but not committed', () => {
    const fresh = { ...stored, offset: 3n, committedOffset: undefined }
    const start = startOf({ ...facts, store: stop({ stored: fresh }) })
    assert.deepEqual([start.offset, start.mustCommit, start.refusal], [3n, true, undefined])
  })

  test('is refused if there is a stored position without a committed offset', () => {
    for (const store of [stop(), rewind()]) {
      const { refusal, incident } = startOf({ ...known, committed: undefined, store })
      assert.equal(refusal, 'OFFSETS_MISSING')
      assert.deepEqual([incident?.kind, incident?.fromOffset, incident?.toOffset], ['offsets_missing', 28n, 34n])
    }
  })

  test('is refused without a committed offset also if new groups start at the latest record', () => {
    for (const startAt of ['latest', 'none'] as const) {
      assert.equal(startOf({ ...known, committed: undefined, startAt }).refusal, 'OFFSETS_MISSING')
      // The records of an added partition are not processed yet.
      const added = startOf({ ...facts, startAt, store: stop({ stored: undefined, isAdded: true }) })
      assert.deepEqual([added.offset, added.refusal, added.incident?.kind], [3n, undefined, 'partitions_added'])
    }
    const latest = startOf({ ...facts, startAt: 'latest', store: stop({ stored: undefined, isAdded: false }) })
    assert.deepEqual([latest.offset, latest.change?.position.offset, latest.mustCommit], [40n, 40n, true])
  })

  test('is refused if the committed offset moved back and outputs must not be repeated', () => {
    const earlier = { ...committed, offset: 27n }
    assert.equal(startOf({ ...known, committed: earlier }).refusal, 'OFFSETS_MISSING')
    const rewound = startOf({ ...known, committed: earlier, store: rewind() })
    assert.deepEqual([rewound.offset, rewound.refusal], [27n, undefined])
  })

  test('is refused, or rewound to the stored position, if the database is behind Kafka', () => {
    const later = { ...known, committed: { ...committed, offset: 36n } }
    const { refusal, incident } = startOf(later)
    assert.equal(refusal, 'DATABASE_BEHIND')
    assert.deepEqual([incident?.kind, incident?.fromOffset, incident?.toOffset], ['database_behind', 34n, 36n])
    const rewound = startOf({ ...later, store: rewind() })
    assert.deepEqual([rewound.offset, rewound.mustCommit, rewound.refusal], [34n, true, undefined])
    assert.equal(rewound.change?.position.committedOffset, 34n)
  })

  test('is refused if the database was emptied after a stage had committed', () => {
    const empty = { ...known, store: stop({ stored: undefined, isAdded: false }) }
    assert.equal(startOf(empty).refusal, 'DATABASE_BEHIND')
    assert.equal(startOf({ ...empty, store: rewind({ stored: undefined }) }).offset, 3n)
    assert.equal(startOf({ ...empty, committed: { ...committed, offset: 3n } }).refusal, undefined)
    // The first start of a group whose offsets a tool has set.
    assert.equal(startOf({ ...empty, committed: { ...committed, topicID: undefined } }).offset, 30n)
  })

  test('is refused if the database was restored to a state from before the topic was recreated', () => {
    const old = { ...stored, topicID: before }
    assert.equal(startOf({ ...known, store: stop({ stored: old }) }).refusal, 'DATABASE_BEHIND')
  })

  test('is the beginning of a recreated topic, whatever was stored and committed for the former one', () => {
    const old = { ...stored, topicID: before }
    for (const left of [undefined, { ...committed, topicID: before }]) {
      const start = startOf({ ...facts, committed: left, store: stop({ stored: old }) })
      assert.deepEqual([start.offset, start.incident?.kind, start.mustCommit], [3n, 'topic_recreated', true])
      assert.deepEqual(start.change?.former, old)
    }
  })

  test('moves both positions back to where a truncated log diverged', () => {
    const cut = startOf({ ...known, epochEnd: { leaderEpoch: 2, endOffset: 20n } })
    assert.deepEqual([cut.offset, cut.leaderEpoch, cut.mustCommit, cut.refusal], [20n, 2, true, undefined])
    assert.deepEqual([cut.incident?.kind, cut.incident?.fromOffset], ['log_truncated', 34n])
    const { offset, committedOffset } = cut.change?.position ?? {}
    assert.deepEqual([offset, committedOffset], [20n, 20n])
  })

  test('moves only the stored position if the log lost no committed record', () => {
    const cut = startOf({ ...known, epochEnd: { leaderEpoch: 4, endOffset: 32n } })
    assert.deepEqual([cut.offset, cut.change?.position.offset], [30n, 32n])
  })
})

test('a partition counts as added if exactly partitions with lower numbers are stored', () => {
  const stored = [0, 1, 2].map(partition => ({ topic: 'a', partition }))
  assert.equal(isAdded({ topic: 'a', partition: 3 }, stored), true)
  assert.equal(isAdded({ topic: 'a', partition: 5 }, stored), true)
  assert.equal(isAdded({ topic: 'b', partition: 3 }, stored), false)
  // Instances of a new group start one by one.
  const firstOfTwo = [0, 2].map(partition => ({ topic: 'a', partition }))
  for (const partition of [1, 3]) assert.equal(isAdded({ topic: 'a', partition }, firstOfTwo), false)
})

describe('where a partition begins in which the group has no offset', () => {
  const of = (topic: string, ...numbers: number[]) => numbers.map(partition => ({ topic, partition }))

  test('is the end only in topics in which the group had no offset when its partitions were assigned', () => {
    assert.equal(policyFor(place, 'latest', ['orders'], []), 'latest')
    assert.equal(policyFor(place, 'latest', ['others'], []), 'earliest')
    assert.equal(policyFor(place, 'latest', [], of('orders', 0, 1)), 'earliest')
  })

  test('is the beginning of an added partition, although the group must have offsets', () => {
    assert.equal(policyFor(place, 'none', [], of('orders', 0, 1)), 'earliest')
    assert.equal(policyFor(place, 'none', [], of('orders', 0, 3)), 'none')
    assert.equal(policyFor(place, 'none', [], []), 'none')
    assert.equal(policyFor(place, 'earliest', [], []), 'earliest')
  })
})
