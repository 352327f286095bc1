import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { createProducer, createTopics, deadLetterTopic, type KafkaConnection, runStage } from '@orderly/kafka'
import { readCommitted, textCodec } from '@orderly/kafka/testing'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { newTraceparent } from '@orderly/service-kit'
import { askTool, runTool } from '../testing/run-tool.ts'
import { readOperationLog } from './operation-log.ts'

const { kafkaBrokers } = integrationEnvironment()
const connection: KafkaConnection = { brokers: kafkaBrokers, clientID: 'integration-test' }
const environment = { KAFKA_BROKERS: kafkaBrokers.join(',') }
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const keys = ['ada', 'bob', 'cyd']
const traceparent = newTraceparent()

/**
 * Starts a stage that fails on every record until it is repaired, and waits for its dead letters.
 */
async function setUp(t: TestContext) {
  const [input, output] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
  const deadLetters = deadLetterTopic(input)
  await createTopics(
    connection,
    [input, output, deadLetters].map(name => ({ name, partitions: 4, replicationFactor: 1 }))
  )
  let isRecoverable = false
  const stage = runStage(
    {
      name: 'broken',
      group: `group-${input}`,
      inputs: [{ name: input, eventType: 'Text', codec: textCodec }],
      process: async records => {
        if (!isRecoverable) throw Object.assign(new Error('not yet'), { code: 'BROKEN' })
        return records.map(({ key, event, headers }) => ({
          topic: output,
          key,
          value: Buffer.from(event),
          headers: headers.toObject()
        }))
      }
    },
    { connection, transactionalID: `stage-${input}`, isTransient: () => false, logger: silent }
  )
  t.after(() => stage.stop())
  const producer = await createProducer(connection)
  t.after(() => producer.close())
  let written = 0
  const write = (count: number) =>
    producer.send(
      Array.from({ length: count }, () => {
        const key = keys[written % keys.length] as string
        return { topic: input, key, value: Buffer.from(String(written++)), headers: { traceparent } }
      })
    )
  await write(30)
  await readCommitted(connection, deadLetters, records => records.length === 30)
  return {
    input,
    write,
    mend: () => {
      isRecoverable = true
    },
    outputs: async () => readCommitted(connection, output, records => records.length >= written)
  }
}

async function assertEachOnceInOrder(outputs: Awaited<ReturnType<typeof readCommitted>>, count: number): Promise<void> {
  assert.equal(outputs.length, count)
  for (const [key, own] of Map.groupBy(outputs, ({ key }) => key)) {
    const numbers = own.map(({ value }) => Number(value))
    const expected = Array.from({ length: count }, (_, index) => index).filter(
      index => keys[index % keys.length] === key
    )
    assert.deepEqual(numbers, expected, `the records of ${key}`)
  }
}

interface Listed {
  readonly count: number
  readonly deadLetters: readonly { readonly key: string; readonly code: string; readonly state: string }[]
}

test('a replay that is killed at several points and repeated processes each record once, in the order of its key', async t => {
  const { input, write, mend, outputs } = await setUp(t)
  mend()
  const points = ['transaction-begun', 'outputs-written', 'before-commit', 'after-commit']
  for (const point of points) {
    const killing = { ...environment, KILL_AT: `${point}:${point === 'before-commit' ? 1 : 2}` }
    const { code, stderr } = await runTool(killing, 'dlq', 'replay', '--topic', input, '--rate', '4', '--by', 'tester')
    assert.equal(code, 'SIGKILL', `at ${point}: ${stderr}`)
  }
  const last = await runTool(environment, 'dlq', 'replay', '--topic', input)
  assert.equal(last.code, 0, last.stdout + last.stderr)
  assert.match(last.stdout, /released: later records are processed/)
  await write(3)
  const all = await outputs()
  await assertEachOnceInOrder(all, 33)
  assert.ok(all.every(({ headers }) => headers.traceparent === traceparent))
  assert.equal((await askTool<Listed>(environment, 'dlq', 'list', '--topic', input)).count, 0)
  const operations = await askTool<{ topic: string; by: string; replayed: number }[]>(environment, 'dlq', 'log')
  const own = operations.filter(({ topic }) => topic === deadLetterTopic(input))
  assert.equal(
    own.reduce((sum, { replayed }) => sum + replayed, 0),
    30
  )
  assert.ok(own.slice(0, -1).every(({ by }) => by === 'tester'))
})

test('a dry run does nothing, a filter selects whole keys, a failed replay leaves dead letters, and the rate is kept', async t => {
  const { input, mend, outputs } = await setUp(t)
  const dry = await runTool(environment, 'dlq', 'replay', '--topic', input, '--key', 'ada', '--dry-run')
  assert.match(dry.stdout, /10 would be replayed, 0 dropped; nothing was done/)
  const failed = await runTool(environment, 'dlq', 'replay', '--topic', input, '--key', 'ada', '--code', 'BROKEN')
  assert.equal(failed.code, 1, failed.stdout + failed.stderr)
  assert.match(failed.stdout, /^10 dead letters replayed.*\n1 key still blocked/)
  const listed = await askTool<Listed>(environment, 'dlq', 'list', '--topic', input, '--user', 'ada')
  assert.deepEqual([listed.count, listed.deadLetters[0]?.state, listed.deadLetters[0]?.code], [10, 'pending', 'BROKEN'])
  mend()
  const { code, stdout } = await runTool(environment, 'dlq', 'replay', '--topic', input, '--rate', '8')
  assert.equal(code, 0, stdout)
  assert.match(stdout, /30 dead letters replayed, 0 dropped/)
  const log = await readOperationLog(connection, t.signal)
  const steps = log.filter(({ topic }) => topic === deadLetterTopic(input)).slice(-6)
  const ofKey = [
    [8, 1],
    [2, 0]
  ]
  assert.deepEqual(
    steps.map(({ replayed, keys }) => [replayed, keys]),
    [...ofKey, ...ofKey, ...ofKey]
  )
  // 28 dead letters precede the last two, which are due after three and a half seconds. A timer may
  // fire slightly early.
  assert.ok(Number(steps[5]?.atMs) - Number(steps[0]?.atMs) > 3_400)
  await assertEachOnceInOrder(await outputs(), 30)
})
