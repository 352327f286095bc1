import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startBroker } from '@orderly/launcher/testing'
import { stringCodec } from '../codecs/plain-codecs.ts'
import type { KafkaConnection, TokenLogin } from '../connection.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import { createProducer } from '../producer/producer.ts'
import { runStage } from '../stage/run-stage.ts'
import { bearerSettings, unsignedToken } from '../testing/bearer-tokens.ts'
import { readCommitted } from '../testing/read-committed.ts'
import { checkConnection, createTopics } from './admin.ts'

async function connect(t: TestContext) {
  const { secure } = await startBroker(t, { users: { shop: 'unused' }, settings: bearerSettings })
  assert.ok(secure)
  const base: KafkaConnection = { brokers: secure.brokers, clientID: 'bearer', tls: { ca: secure.certificate } }
  return (token: TokenLogin['token'], more: Partial<TokenLogin> = {}): KafkaConnection => ({
    ...base,
    sasl: { mechanism: 'OAUTHBEARER', token, ...more }
  })
}

test('a cluster with bearer tokens', async t => {
  const withToken = await connect(t)
  const valid = withToken(async () => unsignedToken(600))
  const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
  const topics = ['in', 'out', deadLetterTopic('in')]
  await createTopics(
    valid,
    topics.map(name => ({ name, partitions: 1, replicationFactor: 1 }))
  )

  await t.test('accepts a token and SASL extensions', async () => {
    await checkConnection(withToken(() => unsignedToken(600), { extensions: { logicalCluster: 'lkc-1' } }))
  })

  await t.test('rejects an expired token and a text that is not a token, with a permanent error', async () => {
    const rejected = { name: 'KafkaError', code: 'AUTHENTICATION_FAILED', retryable: false }
    for (const token of [unsignedToken(-30), 'not-a-token'])
      await assert.rejects(checkConnection(withToken(() => token)), rejected)
  })

  await t.test(
    'a failing or unusable token function is a transient error with its reason, without the token',
    async () => {
      const failing = async () => Promise.reject(new Error('identity provider away'))
      const unavailable = { name: 'KafkaError', code: 'TOKEN_UNAVAILABLE', retryable: true }
      await assert.rejects(checkConnection(withToken(failing)), { ...unavailable, message: /identity provider away/ })
      for (const token of ['', 'two parts', undefined])
        await assert.rejects(checkConnection(withToken(() => token as string)), {
          ...unavailable,
          message: 'the token function of connection.sasl failed: what it returned is not a token'
        })
      let failuresLeft = 2
      const recovering = withToken(async () => (failuresLeft-- > 0 ? failing() : unsignedToken(600)))
      const producer = await createProducer(recovering)
      await producer.send([{ topic: 'out', key: 'k', value: Buffer.from('recovered'), headers: {} }])
      await producer.close()
    }
  )

  await t.test('connections are replaced with a new token before theirs expires, and no record is lost', async t => {
    let tokens = 0
    const expiring = withToken(async () => {
      tokens++
      return unsignedToken(5)
    })
    const producer = await createProducer(expiring)
    t.after(() => producer.close())
    const stage = runStage(
      {
        name: 'copy',
        group: 'copy',
        inputs: [{ name: 'in', eventType: 'Text', codec: stringCodec }],
        process: async records =>
          records.map(({ key, event }) => ({ topic: 'out', key, value: Buffer.from(event), headers: {} }))
      },
      { connection: expiring, transactionalID: 'copy', isTransient: () => false, logger: silent }
    )
    t.after(() => stage.stop())
    let sent = 0
    const send = () => producer.send([{ topic: 'in', key: 'k', value: Buffer.from(String(sent++)), headers: {} }])
    await send()
    const copied = (count: number) => readCommitted(valid, 'out', all => all.length === count + 1)
    await copied(1)
    // The producer and the stage have their connections; each of those is replaced at least twice.
    for (const first = tokens; tokens < first * 3; await delay(20)) await send()
    const texts = (await copied(sent)).map(({ value }) => value.toString())
    assert.deepEqual(texts, ['recovered', ...Array.from({ length: sent }, (_, index) => String(index))])
  })
})
