import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readEventStream } from './event-stream.ts'

const text =
  'retry: 1000\n\nid: a-1\nevent: status\ndata: {"n":"ä"}\n\n: still here\n\nid: a-2\nevent: status\ndata: {"n":2}\n\n'

async function read(...chunks: readonly Uint8Array[]) {
  const events: unknown[] = []
  for await (const event of readEventStream(chunks.values() as never)) events.push(event)
  return events
}

test('events are the same however the stream is split into chunks', async () => {
  const bytes = Buffer.from(text)
  for (let at = 0; at <= bytes.length; at++) {
    assert.deepEqual(await read(bytes.subarray(0, at), bytes.subarray(at)), [
      { id: 'a-1', data: '{"n":"ä"}' },
      { id: 'a-2', data: '{"n":2}' }
    ])
  }
})

test('an event without its end is ignored', async () => {
  assert.deepEqual(await read(Buffer.from('id: a-1\ndata: {"n":1}\n')), [])
})
