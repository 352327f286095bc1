import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isAdded, type PartitionFacts, startOf } from './starting-positions.ts'

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

describe('where a stage starts without stored positions', () => {
  test('it resumes at the committed offset while the log was written up to there in that epoch', () => {
    const start = startOf({ ...facts, committed, epochEnd: { leaderEpoch: 4, endOffset: 30n } })
    assert.deepEqual(start, { ...place, topicID: now, offset: 30n, leaderEpoch: 4 })
  })

  test('without a committed offset it starts at the beginning of the log', () => {
    assert.deepEqual(startOf(facts), { ...atBeginning, mustCommit: false })
    assert.deepEqual(startOf({ ...facts, formerTopicID: now }), { ...atBeginning, mustCommit: false })
  })

  test('an offset of another topic with the same name is not used, and the topic counts as recreated', () => {
    for (const found of [{ committed: { ...committed, topicID: before } }, { formerTopicID: before }]) {
      const { incident, ...start } = startOf({ ...facts, ...found })
      assert.deepEqual(start, { ...atBeginning, mustCommit: true })
      assert.equal(incident?.kind, 'topic_recreated')
    }
  })

  test('an offset that a tool has committed is used although it names no topic', () => {
    const start = startOf({ ...facts, committed: { ...committed, topicID: undefined, leaderEpoch: -1 } })
    assert.deepEqual([start.offset, start.incident], [30n, undefined])
  })

  test('a log that ended earlier in that epoch is read from there, however long it is now', () => {
    const end = { leaderEpoch: 3, endOffset: 25n }
    const { incident, ...start } = startOf({ ...facts, log: logTo(90n), committed, epochEnd: end })
    assert.deepEqual(start, { ...place, topicID: now, offset: 25n, leaderEpoch: 3, mustCommit: true })
    assert.deepEqual([incident?.kind, incident?.fromOffset, incident?.toOffset], ['log_truncated', 30n, 25n])
  })

  test('where the epoch is unknown only the end of the log shows that records are lost', () => {
    const { incident, ...start } = startOf({ ...facts, log: logTo(20n), committed })
    assert.deepEqual(start, { ...place, topicID: now, offset: 20n, leaderEpoch: -1, mustCommit: true })
    assert.equal(incident?.kind, 'log_truncated')
    assert.equal(startOf({ ...facts, committed: { ...committed, leaderEpoch: -1 } }).incident, undefined)
  })

  test('a partition without a leader resumes at its offset, and cannot be begun', () => {
    assert.equal(startOf({ ...facts, committed, log: undefined }).offset, 30n)
    assert.throws(() => startOf({ ...facts, log: undefined }), { code: 'LEADER_NOT_AVAILABLE', retryable: true })
  })
})

describe('where a stage starts with stored positions', () => {
  const stored = { ...place, topicID: now, offset: 34n, leaderEpoch: 4, committedOffset: 28n }
  const stop = (more: Partial<NonNullable<PartitionFacts['store']>> = {}) => ({
    ...{ whenBehind: 'stop' as const, stored, isAdded: true },
    ...more
  })
  const rewind = (more: Parameters<typeof stop>[0] = {}) => ({ ...stop(more), whenBehind: 'rewind' as const })
  const known: PartitionFacts = { ...facts, committed, epochEnd, store: stop() }

  test('it resumes at the committed offset, not at the stored position behind it', () => {
    const start = startOf(known)
    assert.deepEqual(start, { ...place, topicID: now, offset: 30n, leaderEpoch: 4, savedCommitted: 28n })
    assert.equal(startOf({ ...known, store: stop({ stored: { ...stored, offset: 30n } }) }).refusal, undefined)
  })

  test('a new partition is stored and committed before anything is read', () => {
    const start = startOf({ ...facts, store: stop({ stored: undefined, isAdded: false }) })
    const position = { ...atBeginning, committedOffset: undefined }
    const change = { former: undefined, position }
    assert.deepEqual(start, { ...atBeginning, change, mustCommit: true, savedCommitted: undefined })
    assert.equal(startOf({ ...facts, store: stop({ stored: undefined }) }).incident?.kind, 'partitions_added')
  })

  test('a new partition that was stored and not committed is begun again', () => {
    const fresh = { ...stored, offset: 3n, committedOffset: undefined }
    const start = startOf({ ...facts, store: stop({ stored: fresh }) })
    assert.deepEqual([start.offset, start.mustCommit, start.refusal], [3n, true, undefined])
  })

  test('a stored position without a committed offset is a reason not to start', () => {
    for (const store of [stop(), rewind()]) {
      const { refusal, incident } = startOf({ ...known, committed: undefined, store })
      assert.equal(refusal, 'OFFSETS_MISSING')
      assert.deepEqual([incident?.kind, incident?.fromOffset, incident?.toOffset], ['offsets_missing', 28n, 34n])
    }
  })

  test('a committed offset before one that was committed earlier is a reason not to start where outputs would be doubled', () => {
    const earlier = { ...committed, offset: 27n }
    assert.equal(startOf({ ...known, committed: earlier }).refusal, 'OFFSETS_MISSING')
    const rewound = startOf({ ...known, committed: earlier, store: rewind() })
    assert.deepEqual([rewound.offset, rewound.refusal], [27n, undefined])
  })

  test('a database behind Kafka stops the stage, or rewinds it to the stored position', () => {
    const later = { ...known, committed: { ...committed, offset: 36n } }
    const { refusal, incident } = startOf(later)
    assert.equal(refusal, 'DATABASE_BEHIND')
    assert.deepEqual([incident?.kind, incident?.fromOffset, incident?.toOffset], ['database_behind', 34n, 36n])
    const rewound = startOf({ ...later, store: rewind() })
    assert.deepEqual([rewound.offset, rewound.mustCommit, rewound.refusal], [34n, true, undefined])
    assert.equal(rewound.change?.position.committedOffset, 34n)
  })

  test('an emptied database is behind everything that a stage has committed', () => {
    const empty = { ...known, store: stop({ stored: undefined, isAdded: false }) }
    assert.equal(startOf(empty).refusal, 'DATABASE_BEHIND')
    assert.equal(startOf({ ...empty, store: rewind({ stored: undefined }) }).offset, 3n)
    assert.equal(startOf({ ...empty, committed: { ...committed, offset: 3n } }).refusal, undefined)
    // The first start of a group whose offsets a tool has set.
    assert.equal(startOf({ ...empty, committed: { ...committed, topicID: undefined } }).offset, 30n)
  })

  test('a database that was restored to before its topic was created again is behind', () => {
    const old = { ...stored, topicID: before }
    assert.equal(startOf({ ...known, store: stop({ stored: old }) }).refusal, 'DATABASE_BEHIND')
  })

  test('a topic that was created again is begun, whatever was stored and committed for the former one', () => {
    const old = { ...stored, topicID: before }
    for (const left of [undefined, { ...committed, topicID: before }]) {
      const start = startOf({ ...facts, committed: left, store: stop({ stored: old }) })
      assert.deepEqual([start.offset, start.incident?.kind, start.mustCommit], [3n, 'topic_recreated', true])
      assert.deepEqual(start.change?.former, old)
    }
  })

  test('a truncated log takes both positions back to where it diverged', () => {
    const cut = startOf({ ...known, epochEnd: { leaderEpoch: 2, endOffset: 20n } })
    assert.deepEqual([cut.offset, cut.leaderEpoch, cut.mustCommit, cut.refusal], [20n, 2, true, undefined])
    assert.deepEqual([cut.incident?.kind, cut.incident?.fromOffset], ['log_truncated', 34n])
    const { offset, committedOffset } = cut.change?.position ?? {}
    assert.deepEqual([offset, committedOffset], [20n, 20n])
  })

  test('a log that lost only what was not committed yet changes the stored position alone', () => {
    const cut = startOf({ ...known, epochEnd: { leaderEpoch: 4, endOffset: 32n } })
    assert.deepEqual([cut.offset, cut.change?.position.offset], [30n, 32n])
  })
})

test('a partition was added when just those with lower numbers are stored', () => {
  const stored = [0, 1, 2].map(partition => ({ topic: 'a', partition }))
  assert.equal(isAdded({ topic: 'a', partition: 3 }, stored), true)
  assert.equal(isAdded({ topic: 'a', partition: 5 }, stored), true)
  assert.equal(isAdded({ topic: 'b', partition: 3 }, stored), false)
  // Instances of a new group start one by one.
  const firstOfTwo = [0, 2].map(partition => ({ topic: 'a', partition }))
  for (const partition of [1, 3]) assert.equal(isAdded({ topic: 'a', partition }, firstOfTwo), false)
})
