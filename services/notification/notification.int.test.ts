import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toRecord } from '@orderly/contracts'
import { inventoryConfirmed, inventoryFailed, inventoryReleased, inventoryReserved } from '@orderly/contracts/testing'
import { deadLetterTopic } from '@orderly/kafka'
import { readCommitted } from '@orderly/kafka/testing'
import { backUpSchema, type TestService } from '@orderly/launcher/testing'
import { newTraceparent, parseTraceparent } from '@orderly/service-kit'
import { outcomes, startPipeline, statuses, until } from './testing/pipeline.ts'

interface SentLine {
  readonly notification: {
    readonly id: string
    readonly orderID: string
    readonly kind: string
    readonly subject: string
  }
  readonly traceID: string
}

async function sentBy(instance: TestService): Promise<SentLine[]> {
  const lines = await instance.logs()
  return lines.filter(({ msg }) => msg === 'notification sent') as unknown as SentLine[]
}

async function idsBy(...instances: readonly TestService[]): Promise<string[]> {
  const lines = await Promise.all(instances.map(sentBy))
  return lines.flat().map(({ notification }) => notification.id)
}

test('notification service with Kafka and Postgres', async t => {
  const pipeline = await startPipeline(t)
  const { topics, producer, pool } = pipeline

  await t.test('outcomes and later changes are notified in the trace of their order', async t => {
    const instance = await pipeline.start(t)
    const traceparent = newTraceparent()
    const reserved = inventoryReserved()
    const failed = inventoryFailed()
    const confirmed = inventoryConfirmed()
    const released = inventoryReleased({ cause: 'expired' })
    await producer.send([
      toRecord(topics.inventoryReserved, reserved, traceparent),
      toRecord(topics.inventoryFailed, failed, traceparent),
      toRecord(topics.inventoryConfirmed, confirmed, traceparent),
      toRecord(topics.inventoryReleased, released, traceparent)
    ])
    await until(async () => (await sentBy(instance)).length === 4)
    const sent = await sentBy(instance)
    const kinds = new Map(sent.map(({ notification }) => [notification.orderID, notification.kind]))
    assert.equal(kinds.get(reserved.orderID), 'order-reserved')
    assert.equal(kinds.get(failed.orderID), 'order-failed')
    assert.equal(kinds.get(confirmed.orderID), 'order-confirmed')
    assert.equal(kinds.get(released.orderID), 'order-expired')
    for (const { traceID } of sent) assert.equal(traceID, parseTraceparent(traceparent)?.traceID)
    assert.equal((await instance.stop()).code, 0)
  })

  await t.test('after a graceful stop, the next instance sends the rest, and nothing twice', async t => {
    const before = outcomes(pipeline, 200)
    const after = outcomes(pipeline, 200)
    const first = await pipeline.start(t)
    await producer.send(before.records)
    await until(async () => (await sentBy(first)).length > 0)
    assert.equal((await first.stop('SIGTERM')).code, 0)
    assert.equal((await statuses(pool, 'console')).sending, undefined)
    await producer.send(after.records)
    const second = await pipeline.start(t)
    const expected = [...before.eventIDs, ...after.eventIDs].sort()
    await until(async () => (await idsBy(first, second)).length >= expected.length)
    assert.equal((await second.stop('SIGINT')).code, 0)
    assert.deepEqual((await idsBy(first, second)).sort(), expected)
  })

  await t.test('a repeated event is not notified again, and is counted', async t => {
    const { eventIDs, records } = outcomes(pipeline, 20)
    const first = await pipeline.start(t)
    await producer.send(records)
    await until(async () => (await idsBy(first)).length === eventIDs.length)
    await until(async () => Object.keys(await statuses(pool, 'console')).join() === 'sent')
    await first.stop('SIGKILL')
    await producer.send(records)
    const second = await pipeline.start(t)
    const marker = outcomes(pipeline, 40)
    await producer.send(marker.records)
    await until(async () => (await idsBy(second)).length >= marker.eventIDs.length)
    assert.deepEqual((await idsBy(second)).sort(), marker.eventIDs.toSorted())
    const metrics = await (await fetch(`${second.url}/metrics`)).text()
    // The count is higher if the killed instance had not committed its offsets.
    const [, suppressed] = /^orderly_notification_duplicates_suppressed_total\{[^}]*\} (\d+)$/m.exec(metrics) ?? []
    assert.ok(Number(suppressed) >= eventIDs.length, metrics)
    assert.equal((await second.stop()).code, 0)
  })

  await t.test('an undecodable record becomes a dead letter with the reason, and the others are notified', async t => {
    const instance = await pipeline.start(t)
    const topic = topics.inventoryReserved
    const noEvent = { ...toRecord(topic, inventoryReserved(), newTraceparent()), value: Buffer.from('{"orderID":"1"}') }
    const { eventIDs, records } = outcomes(pipeline, 50)
    await producer.send([noEvent])
    await producer.send(records)
    await until(async () => (await idsBy(instance)).length >= eventIDs.length)
    assert.deepEqual((await idsBy(instance)).sort(), eventIDs.toSorted())
    const dead = deadLetterTopic(topic.name)
    const [deadLettered] = await readCommitted(pipeline.connection, dead, records => records.length > 0)
    assert.deepEqual(deadLettered?.value, noEvent.value)
    assert.equal(deadLettered?.headers['dlq-code'], 'WIRE_FORMAT_INVALID')
    assert.equal((await instance.stop()).code, 0)
  })

  await t.test('after an instance is killed, every outcome is notified with the same id', async t => {
    const { eventIDs, records } = outcomes(pipeline, 400)
    const first = await pipeline.start(t)
    await producer.send(records)
    await until(async () => (await idsBy(first)).length > 0)
    await first.stop('SIGKILL')
    const second = await pipeline.start(t)
    await until(async () => new Set(await idsBy(first, second)).size >= eventIDs.length)
    assert.deepEqual([...new Set(await idsBy(first, second))].sort(), eventIDs.toSorted())
    // Deliveries that the killed instance sent without storing the result may still be pending;
    // they must not affect the next test.
    await until(async () => Object.keys(await statuses(pool, 'console')).join() === 'sent')
    assert.equal((await second.stop()).code, 0)
  })

  await t.test('two instances share the deliveries, and each user is notified once and in order', async t => {
    const users = Array.from({ length: 12 }, (_, index) => outcomes(pipeline, 25, `sharer-${index}`))
    const instances = [
      await pipeline.start(t, { INSTANCE_ID: 'one' }),
      await pipeline.start(t, { INSTANCE_ID: 'two', NOTIFICATION_LOCALE: 'de' })
    ]
    for (let index = 0; index < 25; index += 5) {
      await producer.send(users.flatMap(({ records }) => records.slice(index, index + 5)))
    }
    await until(async () => (await idsBy(...instances)).length >= 300)
    const shares = await Promise.all(instances.map(instance => idsBy(instance)))
    assert.deepEqual(shares.flat().sort(), users.flatMap(({ eventIDs }) => eventIDs).sort())
    for (const { eventIDs } of users) {
      for (const share of shares) {
        const places = share.filter(id => eventIDs.includes(id)).map(id => eventIDs.indexOf(id))
        assert.deepEqual(
          places,
          places.toSorted((left, right) => left - right)
        )
      }
    }
    // The faster instance takes more; this waits until both have sent something.
    for (
      let index = 0;
      (await Promise.all(instances.map(instance => idsBy(instance)))).some(share => share.length === 0);
      index++
    ) {
      assert.ok(index < 500, 'one instance sent nothing')
      await producer.send(outcomes(pipeline, 1, `late-sharer-${index}`).records)
    }
    const subjects = new Set(
      (await sentBy(instances[1] as TestService)).map(({ notification }) => notification.subject)
    )
    assert.deepEqual([...subjects], ['Bestellung reserviert'])
    for (const instance of instances) assert.equal((await instance.stop()).code, 0)
  })

  await t.test('after a database restore, the service rewinds and accepts the lost notifications again', async t => {
    const instance = await pipeline.start(t)
    /**
     * Waits until all of them are finished, so that no delivery lane is claimed.
     */
    const areFinished = (eventIDs: readonly string[]) =>
      until(async () => {
        const { rows } = await pool.query(
          'SELECT count(DISTINCT event_id)::integer AS count FROM notification.deliveries WHERE event_id = ANY($1) AND finished_at IS NOT NULL',
          [eventIDs]
        )
        return rows[0].count === eventIDs.length
      })
    const kept = outcomes(pipeline, 20)
    await producer.send(kept.records)
    await areFinished(kept.eventIDs)
    const backup = await backUpSchema(pool, 'notification')
    const lost = outcomes(pipeline, 30)
    await producer.send(lost.records)
    await areFinished(lost.eventIDs)
    await backup.restore()
    // Each partition needs a batch, so that all of them are rewound.
    const next = outcomes(pipeline, 60)
    await producer.send(next.records)
    await areFinished([...kept.eventIDs, ...lost.eventIDs, ...next.eventIDs])
    const { rows } = await pool.query('SELECT DISTINCT kind FROM notification.incidents')
    assert.deepEqual(rows, [{ kind: 'database_behind' }])
    assert.equal((await instance.stop()).code, 0)
  })
})
