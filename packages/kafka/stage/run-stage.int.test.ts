import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { integrationEnvironment, startBroker } from '@orderly/launcher/testing'
import { findCoordinatorV6 } from '@platformatic/kafka'
import { createTopics } from '../cluster/admin.ts'
import { Cluster } from '../cluster/cluster.ts'
import { request } from '../cluster/requests.ts'
import type { KafkaConnection } from '../connection.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import { stageFailpoints } from '../failpoints.ts'
import { createProducer } from '../producer/producer.ts'
import type { EchoStageSettings } from '../testing/echo-stage.ts'
import type { RecordedRecord } from '../testing/in-memory-broker.ts'
import { readCommitted } from '../testing/read-committed.ts'

const shared: KafkaConnection = { brokers: integrationEnvironment().kafkaBrokers, clientID: 'integration-test' }
const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`)

async function setUp(t: TestContext, connection = shared, replicationFactor = 1) {
  const [input, output] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
  const topics = [input, output, deadLetterTopic(input)]
  await createTopics(
    connection,
    topics.map(name => ({ name, partitions: 4, replicationFactor }))
  )
  const producer = await createProducer(connection)
  t.after(() => producer.close())
  let written = 0
  /** Writes consecutive numbers, continued from call to call, to the keys in turn. */
  const write = (count: number) =>
    producer.send(
      Array.from({ length: count }, () => {
        const key = keys[written % keys.length] as string
        return { topic: input, key, value: Buffer.from(String(written++)), headers: {} }
      })
    )
  const start = (slot: string, more: Partial<EchoStageSettings> = {}) => {
    const settings: EchoStageSettings = {
      connection,
      input,
      output,
      transactionalID: `${input}-${slot}`,
      instanceID: `${input}-${slot}`,
      maxBatchRecords: 25,
      ...more
    }
    const child = fork(join(import.meta.dirname, '../testing/echo-stage.ts'), {
      env: { ...process.env, ECHO_STAGE: JSON.stringify(settings) }
    })
    t.after(() => child.kill('SIGKILL'))
    return child
  }
  /**
   * Reads until every written number was output, then asserts that each occurs once and in the
   * order of its key.
   */
  const assertEachOnceInOrder = async () => {
    const records = await readCommitted(
      connection,
      output,
      all => new Set(all.map(({ value }) => String(value))).size === written
    )
    const numbers = records.map(({ value }) => Number(value))
    assert.equal(numbers.length, new Set(numbers).size, 'some occur more than once')
    for (const [key, own] of Map.groupBy(records, ({ key }) => key)) {
      const inOrder = own.map(({ value }: RecordedRecord) => Number(value))
      assert.deepEqual(
        inOrder,
        inOrder.toSorted((a, b) => a - b),
        `the records of ${key} changed their order`
      )
    }
  }
  return { write, start, assertEachOnceInOrder, input, output }
}

const assigned = (child: ChildProcess) => once(child, 'message')
const exited = async (child: ChildProcess) => ({
  code: child.exitCode,
  signal: child.signalCode,
  ...(child.exitCode === null && child.signalCode === null ? await exit(child) : {})
})
const exit = async (child: ChildProcess) => {
  const [code, signal] = await once(child, 'exit')
  return { code, signal }
}

for (const point of stageFailpoints) {
  test(`an instance killed at "${point}" and restarted outputs every record once`, async t => {
    const { write, start, assertEachOnceInOrder } = await setUp(t)
    await write(200)
    for (const pass of [1, 3]) {
      assert.equal((await exited(start('a', { killAt: { point, pass } }))).signal, 'SIGKILL')
      await write(50)
    }
    start('a')
    await assertEachOnceInOrder()
  })
}

test('instances that join and leave under load output every record once, in the order of its key', async t => {
  const { write, start, assertEachOnceInOrder } = await setUp(t)
  const first = start('a')
  await assigned(first)
  await write(500)
  const second = start('b')
  await assigned(second)
  await write(500)
  first.kill('SIGTERM')
  await write(500)
  assert.equal((await exited(first)).code, 0)
  await Promise.all([write(500), assigned(start('c'))])
  second.kill('SIGKILL')
  await write(500)
  await assertEachOnceInOrder()
})

test('a frozen instance that resumes after it was replaced commits nothing from before, and continues as a new member', async t => {
  const { write, start, assertEachOnceInOrder, output } = await setUp(t)
  const zombie = start('a')
  await assigned(zombie)
  await write(100)
  await readCommitted(shared, output, records => records.length > 0)
  zombie.kill('SIGSTOP')
  await write(100)
  const successor = start('b')
  await assigned(successor)
  await write(100)
  await readCommitted(shared, output, records => records.length === 300)
  zombie.kill('SIGCONT')
  await write(100)
  await assertEachOnceInOrder()
})

test('an instance frozen in a tick until its partitions were reassigned does not write the outputs of that tick', async t => {
  const { start, output } = await setUp(t)
  const zombie = start('a', { tick: { text: 'zombie', freezesFirst: true } })
  await assigned(zombie)
  const successor = start('b', { tick: { text: 'successor' } })
  await assigned(successor)
  const texts = (records: readonly RecordedRecord[]) => records.map(({ value }) => String(value))
  await readCommitted(shared, output, records => texts(records).includes('successor'))
  zombie.kill('SIGCONT')
  const written = texts(await readCommitted(shared, output, records => texts(records).includes('zombie')))
  assert.ok(!written.includes('first zombie'))
})

test('the older of two instances with the same ids is fenced and exits with 70', async t => {
  const { write, start, assertEachOnceInOrder } = await setUp(t)
  const older = start('a')
  await assigned(older)
  await write(100)
  const younger = start('a')
  await assigned(younger)
  await write(100)
  assert.equal((await exited(older)).code, 70)
  await assertEachOnceInOrder()
})

test('when the broker that coordinates the group or the transactions dies, another takes over and every record is output once', async t => {
  const cluster = await startBroker(t, { count: 3, heapMB: 256 })
  const connection = { brokers: cluster.brokers, clientID: 'integration-test' }
  const { write, start, assertEachOnceInOrder, input } = await setUp(t, connection, 3)
  const stage = start('a')
  await assigned(stage)
  await write(200)
  await assertEachOnceInOrder()
  const ofGroup = await coordinatorOf(connection, 0, `group-${input}`)
  cluster.killOne(ofGroup)
  await write(200)
  await assertEachOnceInOrder()
  await cluster.startOne(ofGroup)
  cluster.killOne(await coordinatorOf(connection, 1, `${input}-a`))
  await write(200)
  await assertEachOnceInOrder()
  assert.equal(stage.exitCode, null)
})

async function coordinatorOf(connection: KafkaConnection, type: number, key: string): Promise<number> {
  const cluster = new Cluster(connection, { requestTimeoutMs: 5_000 })
  try {
    const response = await request(await cluster.anyConnection(), findCoordinatorV6.api, type, [key])
    return response.coordinators[0]?.nodeId ?? -1
  } finally {
    await cluster.close()
  }
}
