import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startBroker } from '@orderly/launcher/testing'
import type { KafkaConnection } from '../connection.ts'
import { createProducer } from '../producer/producer.ts'
import { readCommitted } from '../testing/read-committed.ts'
import { checkConnection, createTopics } from './admin.ts'

test('a cluster with TLS accepts PLAIN and SCRAM credentials and rejects wrong ones with a reason', async t => {
  const { secure } = await startBroker(t, { users: { shop: 'correct-horse' } })
  assert.ok(secure)
  const connection: KafkaConnection = { brokers: secure.brokers, clientID: 'secure', tls: { ca: secure.certificate } }
  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
    await t.test(mechanism, async () => {
      const known = { ...connection, sasl: { mechanism, username: 'shop', password: 'correct-horse' } }
      const topic = `secure-${mechanism}`
      await createTopics(known, [{ name: topic, partitions: 1, replicationFactor: 1 }])
      const producer = await createProducer(known)
      await producer.send([{ topic, key: 'k', value: Buffer.from('v'), headers: {} }])
      await producer.close()
      assert.equal((await readCommitted(known, topic, records => records.length === 1)).length, 1)
      const unknown = { ...connection, sasl: { mechanism, username: 'shop', password: 'wrong' } }
      await assert.rejects(checkConnection(unknown), {
        name: 'KafkaError',
        code: 'AUTHENTICATION_FAILED',
        retryable: false
      })
    })
  }
  await t.test('an untrusted certificate', async () => {
    const sasl = { mechanism: 'PLAIN', username: 'shop', password: 'correct-horse' } as const
    await assert.rejects(
      checkConnection({ brokers: secure.brokers, clientID: 'secure', tls: {}, sasl }),
      /self-signed certificate/
    )
  })
})
