import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lostPositions } from './lost-positions.ts'

test('a stored position is lost if a stage, not a tool, committed a later offset of the same topic id', () => {
  const topicID = 'now'
  const stored = [0, 1, 2, 3].map(partition => ({
    ...{ topic: 'orders', partition, topicID, offset: 10n, leaderEpoch: 0, committedOffset: undefined }
  }))
  const committed = (partition: number, offset: bigint, more: object = {}) => ({
    ...{ topic: 'orders', partition, offset, leaderEpoch: 0, topicID, ...more }
  })
  const lost = lostPositions(
    [
      committed(0, 10n),
      committed(1, 11n),
      committed(2, 99n, { topicID: undefined }),
      committed(3, 99n, { topicID: 'before' }),
      committed(4, 5n),
      committed(5, 0n)
    ],
    stored
  )
  assert.deepEqual(lost, [
    { kind: 'database_behind', topic: 'orders', partition: 1, topicID, fromOffset: 10n, toOffset: 11n },
    { kind: 'database_behind', topic: 'orders', partition: 4, topicID, toOffset: 5n }
  ])
})
