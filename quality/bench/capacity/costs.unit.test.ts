import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toRecord } from '@orderly/contracts'
import type { OutputRecord } from '@orderly/kafka'
import { newTraceparent } from '@orderly/service-kit'
import { connectLocalTopics } from '../orders/local-topics.ts'
import { makeOrder } from '../orders/make-orders.ts'
import { coreUs, logBytes, steps, transactionMs } from './costs.ts'

test('each figure has a source, and its newest value does not exceed its highest', () => {
  for (const [name, figure] of Object.entries({ ...coreUs, ...steps, transactionMs })) {
    assert.ok(figure.newest <= figure.highest && figure.newest >= 0, `${name}: raise its highest`)
    assert.ok(figure.source.length > 0, name)
  }
})

/** Approximate bytes of a record's length, attributes, timestamp, offset, and length prefixes. */
const framing = 10

function bytesOf({ key, value, headers }: OutputRecord): number {
  const parts = Object.entries(headers).reduce((sum, [name, text]) => sum + 2 + name.length + text.length, 0)
  return framing + (key?.length ?? 0) + (value?.length ?? 0) + parts
}

test('records have at most the planned size, and more than 90 % of it', async () => {
  const topics = await connectLocalTopics()
  const order = makeOrder(4_711)
  const { orderID, userID, items } = order
  const outcome = { orderID, userID, items, decidedAtMs: order.createdAtMs, holdUntilMs: null, sequence: 1_000_000 }
  const records = {
    order: toRecord(topics.ordersCreated, order, newTraceparent()),
    outcome: toRecord(topics.inventoryReserved, outcome, newTraceparent())
  }
  for (const name of ['order', 'outcome'] as const) {
    const bytes = bytesOf(records[name])
    assert.ok(bytes <= logBytes[name] && bytes > logBytes[name] * 0.9, `${name}: ${bytes}`)
  }
})
