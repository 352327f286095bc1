import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { PendingSends } from './pending-sends.ts'

const open = (sends: PendingSends, records = 1) => {
  const { call, answer } = sends.open(records, 10)
  answer.catch(() => {})
  return { call, answer }
}

test('an aborted signal rejects its pending calls with its reason, and no others', async () => {
  const sends = new PendingSends(60_000, { maxRecords: 10, maxBytes: 1_000 })
  const [aborting, unrelated] = [new AbortController(), new AbortController()]
  const [first, second, other] = [open(sends), open(sends), open(sends)]
  const answers = [first, second].map(({ call, answer }) => sends.abortable(call, answer, aborting.signal))
  const answered = sends.abortable(other.call, other.answer, unrelated.signal)
  assert.equal(getEventListeners(aborting.signal, 'abort').length, 1, 'one listener for all calls')
  const reason = new Error('the client has disconnected')
  aborting.abort(reason)
  for (const answer of answers) await assert.rejects(answer, error => error === reason)
  assert.ok(first.call.hasEnded && second.call.hasEnded)
  sends.acknowledge(other.call)
  await answered
  assert.equal(getEventListeners(aborting.signal, 'abort').length, 0)
  assert.ok(sends.isEmpty)
})

test('ending all calls rejects them and leaves room for others', async () => {
  const sends = new PendingSends(60_000, { maxRecords: 2, maxBytes: 1_000 })
  const { answer } = open(sends, 2)
  assert.throws(() => sends.open(1, 10), { code: 'PRODUCER_QUEUE_FULL' })
  const reason = new Error('the program ends')
  sends.failAll(reason)
  await assert.rejects(answer, error => error === reason)
  sends.acknowledge(open(sends, 1).call)
  assert.ok(sends.isEmpty)
})
