import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { waitUntil } from '@orderly/launcher'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { createTopics } from '../cluster/admin.ts'
import { Cluster } from '../cluster/cluster.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import type { EchoStageSettings } from '../testing/echo-stage.ts'
import { readCommitted } from '../testing/read-committed.ts'
import { type BatchToWrite, writeBatch } from '../testing/write-batch.ts'
import { Fetcher } from './fetcher.ts'

const connection = { brokers: integrationEnvironment().kafkaBrokers, clientID: 'integration-test' }
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const mebibyte = 1024 * 1024

test('batches that would decompress to hundreds of megabytes become one dead letter each, in a process with a small heap', async t => {
  const [input, output] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
  const shape = { partitions: 1, replicationFactor: 1, configs: { 'max.message.bytes': '8000000' } }
  await createTopics(
    connection,
    [input, output, deadLetterTopic(input)].map(name => ({ name, ...shape }))
  )
  const write = (key: string, values: readonly Buffer[], compression?: BatchToWrite['compression']) =>
    writeBatch(connection, {
      topic: input,
      partition: 0,
      records: values.map(value => ({ key, value, headers: {} })),
      ...(compression && { compression })
    })
  await write('key', [Buffer.from('before')])
  await write('key', [Buffer.alloc(300_000_000)], 'gzip')
  for (const compression of ['zstd', 'lz4', 'snappy'] as const)
    await write('key', [Buffer.from('small'), Buffer.alloc(100_000_000)], compression)
  await write('large', [Buffer.alloc(20_000_000)], 'gzip')
  await write('key', [Buffer.from('after')])
  await write('large', [Buffer.from('behind the large one')])
  const settings: EchoStageSettings = {
    ...{ connection, input, output, maxBatchRecords: 2_000 },
    ...{ transactionalID: `stage-${input}`, instanceID: 'a' }
  }
  const child = fork(join(import.meta.dirname, '../testing/echo-stage.ts'), {
    execArgv: ['--max-old-space-size=64'],
    env: { ...process.env, ECHO_STAGE: JSON.stringify(settings) }
  })
  t.after(() => child.kill('SIGKILL'))
  const outputs = await readCommitted(connection, output, records => records.length >= 2)
  assert.deepEqual(
    outputs.map(({ value }) => String(value)),
    ['before', 'after']
  )
  const deadLetters = await readCommitted(connection, deadLetterTopic(input), records => records.length >= 6)
  const ofBatches = deadLetters.slice(0, 4)
  assert.deepEqual(
    ofBatches.map(({ bytes, headers }) => [
      bytes.key,
      headers['dlq-code'],
      headers['dlq-batch'],
      headers['dlq-records']
    ]),
    [
      [null, 'BATCH_TOO_LARGE', '1-1', '1'],
      [null, 'BATCH_TOO_LARGE', '2-3', '2'],
      [null, 'BATCH_TOO_LARGE', '4-5', '2'],
      [null, 'BATCH_TOO_LARGE', '6-7', '2']
    ]
  )
  for (const { headers } of ofBatches) assert.match(headers['dlq-batch-sha256'] ?? '', /^[\da-f]{64}$/)
  assert.deepEqual(
    deadLetters
      .slice(4)
      .map(({ key, value, headers }) => [key, String(value), headers['dlq-code'], headers['dlq-value-bytes']]),
    [
      ['large', '', 'RECORD_TOO_LARGE', '20000000'],
      ['large', 'behind the large one', 'KEY_BLOCKED', undefined]
    ]
  )
  if (process.platform !== 'linux') return
  const [, peakKB] = /VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${child.pid}/status`, 'utf8')) ?? []
  t.diagnostic(`peak memory: ${Math.round(Number(peakKB) / 1024)} MiB`)
  assert.ok(Number(peakKB) / 1024 < 300, `${peakKB} kB`)
})

test('prefetched batches are bounded by their bytes, and all records are taken', async t => {
  const topic = `large-${randomUUID()}`
  const partitions = [0, 1].map(partition => ({ topic, partition, offset: 0n }))
  await createTopics(connection, [{ name: topic, partitions: partitions.length, replicationFactor: 1 }])
  const batches = 50
  const records = Array.from({ length: 40 }, () => ({ key: 'k', value: randomBytes(20_000), headers: {} }))
  for (const { partition } of partitions)
    for (let batch = 0; batch < batches; batch++) await writeBatch(connection, { topic, partition, records })
  const cluster = new Cluster(connection, { requestTimeoutMs: 5_000 })
  const fetcher = new Fetcher(cluster, { maxBufferedRecords: 4_000, maxBufferedBytes: 8 * mebibyte, logger: silent })
  t.after(() => {
    fetcher.stop()
    return cluster.close()
  })
  globalThis.gc?.()
  const before = process.memoryUsage().arrayBuffers
  const buffered = () => fetcher.bufferedBytes
  fetcher.assign(partitions)
  await waitUntil(() => buffered() > 0, { what: 'the first records', deadlineMs: 30_000 })
  const seen: number[] = []
  while (seen.at(-1) !== seen.at(-3) || seen.length < 3) {
    seen.push(buffered())
    await delay(500)
  }
  const held = process.memoryUsage().arrayBuffers - before
  let taken = 0
  while (taken < batches * records.length * partitions.length) {
    const some = await fetcher.take(1_000, mebibyte)
    taken += some.length
    assert.ok(some.length <= 60, `${some.length} records at once`)
    seen.push(buffered())
  }
  const most = Math.max(...seen)
  const inMiB = (bytes: number) => `${(bytes / mebibyte).toFixed(1)} MiB`
  t.diagnostic(
    `of ${inMiB(2 * batches * records.length * 20_000)} at most ${inMiB(most)} buffered, ${inMiB(held)} of memory`
  )
  assert.ok(most <= 8 * mebibyte, `${most} bytes buffered`)
  // This includes garbage that is not collected yet. Without the bound it would be all records.
  assert.ok(held <= 40 * mebibyte, `${held} bytes of memory`)
})
