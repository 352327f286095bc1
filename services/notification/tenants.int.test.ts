import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { eventID, recordKey, toRecord } from '@orderly/contracts'
import { inventoryReserved } from '@orderly/contracts/testing'
import { deadLetterTopic } from '@orderly/kafka'
import { readCommitted } from '@orderly/kafka/testing'
import { newTraceparent } from '@orderly/service-kit'
import { Webhook } from 'standardwebhooks'
import { addEndpoint, outcomes, startPipeline, statuses, until } from './testing/pipeline.ts'
import { type Answer, type ReceivedWebhook, startReceiver } from './testing/webhook-receiver.ts'

const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`
const idsOf = (received: readonly ReceivedWebhook[]) => received.map(({ id }) => id)
const ok: Answer = { status: 200 }

/**
 * An endpoint of the operator in the settings, and endpoints of callers in the database, on
 * loopback.
 */
const settings = (operatorURL: string, operatorSecret: string) => ({
  NOTIFICATION_SINKS: 'console,webhook',
  WEBHOOK_URLS: `erp=${operatorURL}`,
  WEBHOOK_SECRETS: `erp=${operatorSecret}`,
  WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32',
  WEBHOOK_CALLERS_ALLOWED_NETWORKS: '127.0.0.1/32',
  NOTIFICATION_ENDPOINTS_REFRESH_MS: '100'
})

test('notifications of two shops with the same user ids', async t => {
  const pipeline = await startPipeline(t)
  const { producer, pool, topics } = pipeline
  const secrets = { berlin: newSecret(), paris: newSecret(), erp: newSecret() }
  let berlinAnswers: Answer = ok
  const berlin = await startReceiver(t, () => berlinAnswers)
  const paris = await startReceiver(t, () => ok)
  const erp = await startReceiver(t, () => ok)
  const instance = await pipeline.start(t, settings(erp.url, secrets.erp))
  const adasOf = (caller: string, count: number) => outcomes(pipeline, count, 'ada', caller)
  const forget = () => {
    for (const { received } of [berlin, paris, erp]) received.length = 0
  }

  await t.test('endpoints added at run time receive the notifications of their caller only', async () => {
    await addEndpoint(pool, { name: 'shop', caller: 'berlin', url: berlin.url, secrets: [secrets.berlin] })
    await addEndpoint(pool, { name: 'shop', caller: 'paris', url: paris.url, secrets: [secrets.paris] })
    const inUse = async (target: string) =>
      (await instance.logs()).some(line => line.msg === 'webhook endpoint in use' && line.target === target)
    await until(async () => (await inUse('webhook:berlin/shop')) && (await inUse('webhook:paris/shop')))
    const own = { berlin: adasOf('berlin', 10), paris: adasOf('paris', 10) }
    const unowned = outcomes(pipeline, 2, 'ada')
    await producer.send([...own.berlin.records, ...own.paris.records, ...unowned.records])
    await until(() => berlin.received.length >= 10 && paris.received.length >= 10 && erp.received.length >= 22)
    for (const name of ['berlin', 'paris'] as const) {
      const { received } = { berlin, paris }[name]
      assert.deepEqual(idsOf(received), own[name].eventIDs, 'its own notifications, in order')
      for (const { body, headers } of received) {
        assert.ok(new Webhook(secrets[name]).verify(body, headers))
        const others = Object.entries(secrets).filter(([other]) => other !== name)
        for (const [, secret] of others) assert.throws(() => new Webhook(secret).verify(body, headers))
        assert.doesNotMatch(body + JSON.stringify(headers), /berlin|paris|caller/, 'the webhook names no caller')
      }
    }
    const callers: string[] = erp.received.map(({ body }) => JSON.parse(body).data.caller ?? 'none')
    const counts = [...Map.groupBy(callers, caller => caller)].map(([caller, own]) => [caller, own.length])
    assert.deepEqual(Object.fromEntries(counts), { berlin: 10, paris: 10, none: 2 })
  })

  await t.test("a shop's endpoint that fails or requests a pause delays no other shop", async () => {
    for (const [status, headers] of [
      [500, {}],
      [429, { 'retry-after': '3000' }]
    ] as const) {
      forget()
      berlinAnswers = { status, headers }
      const [theirs, ours] = [adasOf('berlin', 3), adasOf('paris', 3)]
      await producer.send([...theirs.records, ...ours.records])
      await until(() => paris.received.length >= 3 && berlin.received.length >= 1)
      assert.deepEqual(idsOf(paris.received), ours.eventIDs, `while berlin answers ${status}`)
    }
  })

  await t.test('an undecodable record of one shop does not block the same user id of another shop', async () => {
    forget()
    const poison = {
      ...toRecord(topics.inventoryReserved, inventoryReserved({ userID: 'ada' }), newTraceparent(), {
        caller: 'berlin'
      }),
      value: Buffer.from('nothing')
    }
    const [theirs, ours] = [adasOf('berlin', 2), adasOf('paris', 2)]
    await producer.send([poison, ...theirs.records, ...ours.records])
    await until(() => paris.received.length >= 2)
    assert.deepEqual(idsOf(paris.received), ours.eventIDs)
    const deadLetters = await readCommitted(
      pipeline.connection,
      deadLetterTopic(topics.inventoryReserved.name),
      all => all.length >= 3
    )
    assert.deepEqual(
      deadLetters.map(({ key, headers }) => [key, headers['dlq-code']]),
      [
        [recordKey({ userID: 'ada', caller: 'berlin' }), 'WIRE_FORMAT_INVALID'],
        ...theirs.records.map(() => [recordKey({ userID: 'ada', caller: 'berlin' }), 'KEY_BLOCKED'])
      ]
    )
    assert.equal((await statuses(pool, 'webhook:paris/shop')).due, undefined)
  })

  await t.test(
    'a disabled endpoint receives nothing, its pending deliveries are skipped, and it is used again after it is enabled',
    async () => {
      forget()
      const disable = (isDisabled: boolean) =>
        pool.query(
          `UPDATE notification.endpoints SET disabled_at = ${isDisabled ? 'now()' : 'NULL'} WHERE caller = 'paris'`
        )
      await disable(true)
      const unwanted = outcomes(pipeline, 5, 'eve', 'paris')
      await producer.send(unwanted.records)
      await until(() => erp.received.length >= 5)
      await until(async () => (await statuses(pool, 'webhook:paris/shop')).due === undefined)
      assert.equal(paris.received.length, 0)
      await disable(false)
      for (;;) {
        await producer.send(outcomes(pipeline, 1, 'eve', 'paris').records)
        const count = erp.received.length
        await until(() => erp.received.length > count)
        if (paris.received.length > 0) break
      }
      assert.ok(idsOf(paris.received).every(id => !unwanted.eventIDs.includes(id)))
    }
  )

  await t.test('a changed URL and an additional secret are used without a restart', async t => {
    forget()
    const moved = await startReceiver(t, () => ok)
    const next = newSecret()
    await pool.query(`UPDATE notification.endpoints SET url = $1 WHERE caller = 'paris'`, [moved.url])
    await pool.query(`INSERT INTO notification.endpoint_secrets (target, secret) VALUES ('webhook:paris/shop', $1)`, [
      next
    ])
    while (!moved.received.some(({ headers }) => headers['webhook-signature']?.includes(' '))) {
      await producer.send(outcomes(pipeline, 1, 'eve', 'paris').records)
      const count = erp.received.length
      await until(() => erp.received.length > count)
    }
    const { body, headers } = moved.received.at(-1) ?? assert.fail()
    for (const secret of [secrets.paris, next]) assert.ok(new Webhook(secret).verify(body, headers))
  })

  await t.test("a shop's endpoint cannot use a network that is allowed for the operator only", async t => {
    const inside = await startReceiver(t, () => ok)
    const other = await pipeline.start(t, {
      ...{ ...settings(erp.url, secrets.erp), WEBHOOK_CALLERS_ALLOWED_NETWORKS: '', INSTANCE_ID: 'strict' }
    })
    await addEndpoint(pool, { name: 'inside', caller: 'rome', url: inside.url, secrets: [newSecret()] })
    await addEndpoint(pool, {
      name: 'named',
      caller: 'rome',
      url: inside.url.replace('127.0.0.1', 'localhost'),
      secrets: [newSecret()]
    })
    const warned = async () => (await other.logs()).filter(({ event }) => event === 'webhook_endpoint_invalid')
    await until(async () => (await warned()).some(({ target }) => target === 'webhook:rome/inside'))
    assert.equal((await instance.stop()).code, 0)
    await producer.send(outcomes(pipeline, 1, 'ada', 'rome').records)
    const refused = "SELECT count(*)::integer AS count FROM notification.deliveries WHERE code = 'ADDRESS_FORBIDDEN'"
    await until(async () => (await pool.query(refused)).rows[0].count > 0)
    assert.equal(inside.received.length, 0)
    assert.equal((await other.stop()).code, 0)
    const lines = JSON.stringify([...(await instance.logs()), ...(await other.logs())])
    for (const hidden of [...Object.values(secrets), 'whsec_', 'very-secret-path']) assert.ok(!lines.includes(hidden))
  })

  await t.test('an outcome whose owner has no valid record key becomes a dead letter', async t => {
    const event = inventoryReserved({ userID: 'berlin\u001fada' })
    const record = {
      ...toRecord(topics.inventoryReserved, { ...event, userID: 'x' }, newTraceparent()),
      key: 'forged',
      value: topics.inventoryReserved.codec.encode(event)
    }
    const last = await pipeline.start(t, settings(erp.url, secrets.erp))
    await producer.send([record])
    const dead = await readCommitted(pipeline.connection, deadLetterTopic(topics.inventoryReserved.name), all =>
      all.some(({ key }) => key === 'forged')
    )
    assert.equal(dead.find(({ key }) => key === 'forged')?.headers['dlq-code'], 'EVENT_INVALID')
    const { rows } = await pool.query('SELECT FROM notification.deliveries WHERE event_id = $1', [
      eventID('InventoryReserved', event.orderID)
    ])
    assert.equal(rows.length, 0)
    assert.equal((await last.stop()).code, 0)
  })
})
