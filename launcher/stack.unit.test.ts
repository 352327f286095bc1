import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { partitionNotices } from './stack.ts'

describe('partitionNotices', () => {
  test('topics with the wanted number of partitions need no notice', () => {
    assert.deepEqual(partitionNotices(4, new Map([['orders.created', 4]])), [])
  })

  test('a setting that exceeds the partitions of a topic names the command that grows it', () => {
    const counts = new Map([
      ['orders.created', 4],
      ['orders.changes', 8],
      ['inventory.failed', 6]
    ])
    assert.deepEqual(partitionNotices(8, counts), [
      'ORDERLY_PARTITIONS=8 has no effect on topics that exist (orders.created has 4, inventory.failed has 6 partitions). ' +
        'While the stack runs, grow them with:\n' +
        '  npm run orderly -- topics grow orders.created --partitions 8\n' +
        '  npm run orderly -- topics grow inventory.failed --partitions 8'
    ])
  })

  test('a setting below the partitions of a topic has no command, because partitions cannot be removed', () => {
    assert.match(
      partitionNotices(2, new Map([['orders.created', 4]]))[0] ?? '',
      /has 4 partitions\)\. Partitions cannot/
    )
  })
})
