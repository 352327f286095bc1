import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type PartitionFacts, startOf } from './starting-positions.ts'

const place = { topic: 'orders', partition: 2 }
const now = '11111111-1111-4111-8111-111111111111'
const before = '22222222-2222-4222-8222-222222222222'
const facts: PartitionFacts = {
  ...{ ...place, topicID: now, committed: undefined, formerTopicID: undefined },
  ...{ beginning: 3n, end: 40n, epochEnd: undefined }
}
const committed = { ...place, offset: 30n, leaderEpoch: 4, topicID: now }
const atBeginning = { ...place, topicID: now, offset: 3n, leaderEpoch: -1 }

describe('where a stage starts', () => {
  test('it resumes at the committed offset while the log was written up to there in that epoch', () => {
    const start = startOf({ ...facts, committed, epochEnd: { leaderEpoch: 4, endOffset: 30n } })
    assert.deepEqual(start, { ...place, topicID: now, offset: 30n, leaderEpoch: 4 })
  })

  test('without a committed offset it starts at the beginning of the log', () => {
    assert.deepEqual(startOf(facts), atBeginning)
    assert.deepEqual(startOf({ ...facts, formerTopicID: now }), atBeginning)
  })

  test('an offset of another topic with the same name is not used, and the topic counts as recreated', () => {
    const other = { ...committed, topicID: before }
    assert.deepEqual(startOf({ ...facts, committed: other }), { ...atBeginning, isRecreated: true })
    assert.deepEqual(startOf({ ...facts, formerTopicID: before }), { ...atBeginning, isRecreated: true })
  })

  test('an offset that a tool has committed is used although it names no topic', () => {
    const start = startOf({ ...facts, committed: { ...committed, topicID: undefined, leaderEpoch: -1 } })
    assert.equal(start.offset, 30n)
    assert.equal(start.isRecreated, undefined)
  })

  test('a log that ended earlier in that epoch is read from there, however long it is now', () => {
    const start = startOf({ ...facts, end: 90n, committed, epochEnd: { leaderEpoch: 3, endOffset: 25n } })
    assert.deepEqual(start, { ...place, topicID: now, offset: 25n, leaderEpoch: 3, truncatedFrom: 30n })
  })

  test('where the epoch is unknown only the end of the log shows that records are lost', () => {
    const start = startOf({ ...facts, end: 20n, committed })
    assert.deepEqual(start, { ...place, topicID: now, offset: 20n, leaderEpoch: -1, truncatedFrom: 30n })
    const withoutEpoch = { ...committed, leaderEpoch: -1 }
    assert.equal(startOf({ ...facts, end: 20n, committed: withoutEpoch }).truncatedFrom, 30n)
    assert.equal(startOf({ ...facts, committed: withoutEpoch }).truncatedFrom, undefined)
  })
})
