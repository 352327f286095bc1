import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type OutputRecord, outputHeader } from '@orderly/kafka'
import { readCommitted } from '@orderly/kafka/testing'
import { createCertificate, type TestService } from '@orderly/launcher/testing'
import { Webhook } from 'standardwebhooks'
import { notificationsDeadLetterTopic } from './delivery/delivery-results.ts'
import { startMailServer } from './testing/mail-server.ts'
import { outcomes, startPipeline, statuses, until } from './testing/pipeline.ts'
import { type Answer, startReceiver } from './testing/webhook-receiver.ts'

const secrets = [7, 8].map(byte => `whsec_${Buffer.alloc(32, byte).toString('base64')}`)
const ok: Answer = { status: 200 }

function webhookTo(...urls: readonly string[]): Record<string, string> {
  const names = ['shop', 'erp']
  return {
    NOTIFICATION_SINKS: 'webhook',
    WEBHOOK_URLS: urls.map((url, index) => `${names[index]}=${url}`).join(','),
    WEBHOOK_SECRETS: urls.flatMap((_, index) => secrets.map(secret => `${names[index]}=${secret}`)).join(','),
    WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32'
  }
}

/** Long timeouts for tests in which each notification must arrive once, even under load. */
const patient = { NOTIFICATION_LEASE_MS: '60000', SMTP_TIMEOUT_MS: '20000', WEBHOOK_TIMEOUT_MS: '20000' }

const idsOf = (received: readonly { readonly id: string }[]) => received.map(({ id }) => id)
const metricsOf = async ({ url }: TestService) => (await fetch(`${url}/metrics`)).text()

test('sinks of the real process with Kafka, Postgres, SMTP and HTTP servers', async t => {
  const pipeline = await startPipeline(t)
  const { producer, pool } = pipeline

  await t.test('e-mail, webhooks and console each send once, and webhooks are signed with every secret', async t => {
    const mail = await startMailServer(t)
    const shop = await startReceiver(t, () => ok)
    const instance = await pipeline.start(t, {
      ...webhookTo(shop.url),
      ...patient,
      NOTIFICATION_SINKS: 'console,smtp,webhook',
      SMTP_URL: mail.url
    })
    const { eventIDs, records } = outcomes(pipeline, 30)
    await producer.send(records)
    const all = eventIDs.length
    for (const target of ['console', 'smtp', 'webhook:shop']) {
      await until(async () => (await statuses(pool, target)).sent === all)
    }
    assert.equal(mail.mails.length, all)
    assert.equal(new Set(mail.mails.map(({ headers }) => headers.get('message-id'))).size, all)
    assert.deepEqual(idsOf(shop.received).sort(), eventIDs.toSorted())
    for (const { body, headers } of shop.received) {
      for (const secret of secrets) assert.ok(new Webhook(secret).verify(body, headers))
    }
    assert.equal((await instance.stop()).code, 0)
    const lines = JSON.stringify(await instance.logs())
    for (const hidden of [...secrets, 'very-secret-path']) assert.ok(!lines.includes(hidden))
    await pool.query('TRUNCATE notification.deliveries, notification.lanes')
  })

  await t.test(
    'an instance killed after the target accepted and before the result was stored sends again with the same id',
    async t => {
      let instance: TestService | undefined
      let kills = 0
      const shop = await startReceiver(t, () => {
        if (kills++ > 0) return ok
        instance?.signal('SIGKILL')
        return ok
      })
      instance = await pipeline.start(t, webhookTo(shop.url))
      const { eventIDs, records } = outcomes(pipeline, 1)
      await producer.send(records)
      await instance.exit
      assert.deepEqual(await statuses(pool, 'webhook:shop'), { sending: 1 })
      const next = await pipeline.start(t, webhookTo(shop.url))
      await until(async () => (await statuses(pool, 'webhook:shop')).sent === 1)
      assert.deepEqual(idsOf(shop.received), [eventIDs[0], eventIDs[0]])
      assert.equal(shop.received[0]?.body, shop.received[1]?.body)
      assert.equal((await next.stop()).code, 0)
    }
  )

  await t.test(
    'another instance sends an e-mail again with the same id after the lease of a killed instance',
    async t => {
      let instance: TestService | undefined
      const mail = await startMailServer(t, {
        onMail: () => {
          instance?.signal('SIGKILL')
          instance = undefined
        }
      })
      const settings = { NOTIFICATION_SINKS: 'smtp', SMTP_URL: mail.url }
      const killed = await pipeline.start(t, { ...settings, INSTANCE_ID: 'killed' })
      instance = killed
      await producer.send(outcomes(pipeline, 1).records)
      await killed.exit
      const other = await pipeline.start(t, { ...settings, INSTANCE_ID: 'other' })
      await until(async () => mail.mails.length === 2)
      const [first, second] = mail.mails.map(({ headers }) => headers.get('message-id'))
      assert.equal(first, second)
      await until(async () => (await statuses(pool, 'smtp')).sending === undefined)
      assert.equal((await other.stop()).code, 0)
    }
  )

  await t.test('a target that sends interim responses gets each notification once', async t => {
    const shop = await startReceiver(t, () => ({ ...ok, hasInterim: true }))
    const instance = await pipeline.start(t, { ...webhookTo(shop.url), ...patient })
    const { eventIDs, records } = outcomes(pipeline, 20)
    await producer.send(records)
    await until(async () => (await statuses(pool, 'webhook:shop')).due === undefined && shop.received.length >= 20)
    assert.deepEqual(idsOf(shop.received).sort(), eventIDs.toSorted())
    assert.doesNotMatch(await metricsOf(instance), /orderly_notification_failures_total\{[^}]*target="webhook:shop"/)
    assert.equal((await instance.stop()).code, 0)
  })

  await t.test('a long pause outlives a restart, applies to other instances, and delays no other target', async t => {
    let isWell = false
    const pause: Answer = { status: 503, headers: { 'retry-after': '3000' } }
    const shop = await startReceiver(t, () => (isWell ? ok : pause))
    const erp = await startReceiver(t, () => ok)
    const settings = webhookTo(shop.url, erp.url)
    const first = await pipeline.start(t, { ...settings, INSTANCE_ID: 'one' })
    await producer.send(outcomes(pipeline, 1).records)
    await until(() => shop.received.length >= 1 && erp.received.length >= 1)
    const pausedSeconds = async () => {
      const seconds = 'extract(epoch FROM paused_until - now())::float8 AS seconds'
      const { rows } = await pool.query(`SELECT ${seconds} FROM notification.targets WHERE target = 'webhook:shop'`)
      return rows[0]?.seconds ?? 0
    }
    // Longer than the maximum retry delay, which is 200 ms here.
    await until(async () => (await pausedSeconds()) > 2_000)
    await first.stop('SIGKILL')
    const again = [
      await pipeline.start(t, { ...settings, INSTANCE_ID: 'one' }),
      await pipeline.start(t, { ...settings, INSTANCE_ID: 'two' })
    ]
    const { records } = outcomes(pipeline, 20)
    await producer.send(records)
    await until(() => new Set(idsOf(erp.received)).size === 21)
    assert.equal(shop.received.length, 1)
    isWell = true
    await pool.query("UPDATE notification.targets SET paused_until = now() WHERE target = 'webhook:shop'")
    await pool.query("UPDATE notification.lanes SET due_at = now() WHERE target = 'webhook:shop' AND claim IS NULL")
    // Running instances keep the pause in memory; a new one has only the stored one.
    for (const instance of again) assert.equal((await instance.stop()).code, 0)
    const last = await pipeline.start(t, settings)
    await until(async () => (await statuses(pool, 'webhook:shop')).due === undefined)
    assert.equal(new Set(idsOf(shop.received)).size, 21)
    assert.equal((await last.stop()).code, 0)
  })

  await t.test(
    'a target that fails, hangs up or redirects gets everything after it recovers, and delays no other target',
    async t => {
      let isWell = false
      let count = 0
      const inside = await startReceiver(t, () => ok)
      const failures: (Answer | undefined)[] = [
        { status: 500 },
        { status: 503, headers: { 'retry-after': '0' } },
        { status: 302, headers: { location: inside.url } },
        { status: 404 },
        undefined
      ]
      const shop = await startReceiver(t, () => (isWell ? ok : failures[count++ % failures.length]))
      const erp = await startReceiver(t, () => ok)
      const instance = await pipeline.start(t, webhookTo(shop.url, erp.url))
      const { eventIDs, records } = outcomes(pipeline, 40)
      const adas = outcomes(pipeline, 10, 'ada')
      await producer.send([...records, ...adas.records])
      const all = [...eventIDs, ...adas.eventIDs].sort()
      await until(() => erp.received.length === all.length && count > 10)
      isWell = true
      shop.received.length = 0
      await until(async () => (await statuses(pool, 'webhook:shop')).due === undefined && shop.received.length >= 50)
      assert.deepEqual(idsOf(shop.received).sort(), all)
      assert.deepEqual(
        idsOf(shop.received).filter(id => adas.eventIDs.includes(id)),
        adas.eventIDs
      )
      assert.equal(inside.received.length, 0, 'a redirect was followed')
      const metrics = await metricsOf(instance)
      assert.match(metrics, /orderly_notification_failures_total\{[^}]*target="webhook:shop"[^}]*code="HTTP_302"/)
      assert.equal((await instance.stop()).code, 0)
    }
  )

  await t.test('410 disables a target, also for the next instance, until its address changes', async t => {
    const gone = await startReceiver(t, () => ({ status: 410 }))
    const first = await pipeline.start(t, webhookTo(gone.url))
    await producer.send(outcomes(pipeline, 1).records)
    await until(async () => (await statuses(pool, 'webhook:shop')).skipped === 1)
    await producer.send(outcomes(pipeline, 10).records)
    await until(async () => (await statuses(pool, 'webhook:shop')).skipped === 11)
    assert.match(await metricsOf(first), /orderly_notification_target_disabled\{[^}]*"webhook:shop"[^}]*\} 1/)
    await first.stop()
    const second = await pipeline.start(t, webhookTo(gone.url))
    await producer.send(outcomes(pipeline, 10).records)
    await until(async () => (await statuses(pool, 'webhook:shop')).skipped === 21)
    assert.equal(gone.received.length, 1)
    await second.stop()
    const moved = await startReceiver(t, () => ok)
    const third = await pipeline.start(t, webhookTo(moved.url))
    const { eventIDs, records } = outcomes(pipeline, 5)
    await producer.send(records)
    await until(() => moved.received.length === 5)
    assert.deepEqual(idsOf(moved.received).sort(), eventIDs.toSorted())
    assert.equal((await third.stop()).code, 0)
  })

  await t.test('an exhausted delivery is in the delivery table, the dead letters and the metrics', async t => {
    const shop = await startReceiver(t, () => ({ status: 500 }))
    const instance = await pipeline.start(t, { ...webhookTo(shop.url), NOTIFICATION_MAX_ATTEMPTS: '2' })
    const { eventIDs, records } = outcomes(pipeline, 1)
    await producer.send(records)
    await until(async () => (await statuses(pool, 'webhook:shop')).exhausted === 1)
    assert.deepEqual(idsOf(shop.received), [eventIDs[0], eventIDs[0]])
    const dead = await readCommitted(pipeline.connection, notificationsDeadLetterTopic, found => found.length > 0)
    const [{ key, value, headers } = assert.fail()] = dead
    assert.equal(key, String(records[0]?.key))
    assert.equal(headers['event-id'], eventIDs[0])
    assert.equal(headers['notification-target'], 'webhook:shop')
    assert.equal(headers['dlq-code'], 'HTTP_500')
    assert.equal(
      headers.traceparent?.slice(3, 35),
      outputHeader(records[0] as OutputRecord, 'traceparent')?.slice(3, 35)
    )
    const { target, notification, attempts, reason } = JSON.parse(String(value))
    assert.deepEqual([target, notification.id, attempts, reason], ['webhook:shop', eventIDs[0], 2, 'answered 500'])
    assert.match(await metricsOf(instance), /orderly_notifications_exhausted_total\{[^}]*code="HTTP_500"[^}]*\} 1/)
    assert.equal((await instance.stop()).code, 0)
  })

  await t.test('a name is refused if it resolves to a forbidden address', async t => {
    const inside = await startReceiver(t, () => ok)
    const url = inside.url.replace('127.0.0.1', 'localhost')
    const instance = await pipeline.start(t, { ...webhookTo(url), WEBHOOK_ALLOWED_NETWORKS: '' })
    await producer.send(outcomes(pipeline, 1).records)
    const refused = "SELECT count(*) AS count FROM notification.deliveries WHERE code = 'ADDRESS_FORBIDDEN'"
    await until(async () => (await pool.query(refused)).rows[0].count === 1)
    assert.equal(inside.received.length, 0)
    assert.equal((await instance.stop()).code, 0)
    await pool.query("DELETE FROM notification.deliveries WHERE code = 'ADDRESS_FORBIDDEN'")
  })

  await t.test('an https endpoint is used only if its certificate is trusted', async t => {
    const { certificateFile, ...tls } = await createCertificate(t)
    const shop = await startReceiver(t, () => ok, tls)
    const { eventIDs, records } = outcomes(pipeline, 1)
    const first = await pipeline.start(t, webhookTo(shop.url))
    await producer.send(records)
    const codes = async () =>
      (await pool.query('SELECT code FROM notification.deliveries WHERE event_id = $1', [eventIDs[0]])).rows
    await until(async () => (await codes())[0]?.code === 'DEPTH_ZERO_SELF_SIGNED_CERT')
    assert.equal((await first.stop()).code, 0)
    assert.equal(shop.received.length, 0)
    const second = await pipeline.start(t, { ...webhookTo(shop.url), NODE_EXTRA_CA_CERTS: certificateFile })
    await until(() => shop.received.length > 0)
    assert.deepEqual(idsOf(shop.received), eventIDs)
    assert.equal((await second.stop()).code, 0)
  })

  await t.test('a graceful stop waits for the request in flight, and nothing is sent twice', async t => {
    let instance: TestService | undefined
    const shop = await startReceiver(t, () => {
      instance?.signal('SIGTERM')
      instance = undefined
      return ok
    })
    const first = await pipeline.start(t, webhookTo(shop.url))
    instance = first
    const { eventIDs, records } = outcomes(pipeline, 30, 'bob')
    await producer.send(records)
    assert.equal((await first.exit).code, 0)
    assert.equal((await statuses(pool, 'webhook:shop')).sending, undefined)
    const second = await pipeline.start(t, webhookTo(shop.url))
    await until(() => shop.received.length >= eventIDs.length)
    await until(async () => (await statuses(pool, 'webhook:shop')).due === undefined)
    assert.deepEqual(idsOf(shop.received), eventIDs)
    assert.equal((await second.stop()).code, 0)
  })
})

test('invalid settings of several sinks are listed by name without secrets, and the exit code is 78', async () => {
  const child = spawn(process.execPath, [fileURLToPath(new URL('main.ts', import.meta.url))], {
    env: {
      PATH: process.env.PATH,
      ORDERLY_PROFILE: 'dev',
      DATABASE_URL: 'postgres://me:password@database/orderly',
      HTTP_PORT: '0',
      NOTIFICATION_SINKS: 'smtp,webhook',
      SMTP_TO_TEMPLATE: '{userID}',
      WEBHOOK_URLS: 'shop=http://10.0.0.1/,erp=https://erp.example',
      WEBHOOK_SECRETS: 'shop=not-a-secret'
    },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (output += text))
  const [code] = await once(child, 'close')
  assert.equal(code, 78)
  for (const expected of ['WEBHOOK_URLS, entry 1', 'WEBHOOK_SECRETS, entry 1', 'WEBHOOK_SECRETS has no secret for']) {
    assert.ok(output.includes(expected), output)
  }
  assert.ok(!output.includes('not-a-secret'))
})
