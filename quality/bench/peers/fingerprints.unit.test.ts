import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventHeaders } from '@orderly/contracts'
import { newTraceparent } from '@orderly/service-kit'
import { connectLocalTopics } from '../orders/local-topics.ts'

test('peers use the same schema fingerprints as the services', async () => {
  const { ordersCreated, inventoryReserved, inventoryFailed } = await connectLocalTopics()
  for (const file of ['java/Events.java', 'go/events.go']) {
    const source = readFileSync(join(import.meta.dirname, file), 'utf8')
    for (const topic of [ordersCreated, inventoryReserved, inventoryFailed]) {
      const { 'schema-fingerprint': fingerprint } = eventHeaders(topic, 'id', newTraceparent())
      assert.match(source, new RegExp(`"${topic.eventType}".*"${fingerprint}"`), file)
    }
  }
})
