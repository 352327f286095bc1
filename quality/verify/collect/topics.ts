import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { connectTopics, createSchemaRegistry, topicNames } from '@orderly/contracts'
import { deadLetterTopic, recordHeaders, type Topic } from '@orderly/kafka'
import type { History, OrderEvent, RecordedRecord } from '../history/history.ts'
import type { KafkaLog } from './kafka-log.ts'
import { offsetCommitsIn, offsetsTopic } from './offset-commits.ts'
import { type LogRecord, withTransactions } from './transactions.ts'

export const allTopics: readonly string[] = Object.values(topicNames).flatMap(name => [name, deadLetterTopic(name)])

type Dump = Pick<History, 'partitions' | 'records' | 'offsetCommits'>

/** Reads every record of every topic and the whole history of the groups' committed offsets. */
export async function dumpTopics(log: KafkaLog, registryURL: string, groups: readonly string[]): Promise<Dump> {
  const topics = await connectTopics(createSchemaRegistry({ url: registryURL }), {
    ordersCreated: 'read',
    ordersChanges: 'read',
    inventoryReserved: 'read',
    inventoryFailed: 'read',
    inventoryConfirmed: 'read',
    inventoryReleased: 'read',
    stockMovements: 'read',
    orderRate: 'read'
  })
  const codecs = new Map<string, Topic<OrderEvent>['codec']>()
  for (const topic of Object.values(topics) as unknown as Topic<OrderEvent>[]) {
    codecs.set(topic.name, topic.codec)
    codecs.set(deadLetterTopic(topic.name), topic.codec)
  }
  const partitions: History['partitions'][number][] = []
  const records: RecordedRecord[] = []
  for (const topic of allTopics) {
    for (const end of await log.ends(topic)) {
      partitions.push({ topic, ...end })
      const read = withTransactions(await log.read(topic, end.partition, 0, end.highWatermark))
      const codec = codecs.get(topic)
      const values = read.filter(({ record }) => record.value !== null)
      await codec?.prepare(
        values.map(({ record }) => record.value as Buffer),
        values.map(({ record }) => recordHeaders(headersOf(record)))
      )
      for (const record of read) records.push(toRecorded(topic, end.partition, record, codec))
    }
  }
  return { partitions, records, offsetCommits: await dumpOffsetCommits(log, groups) }
}

async function dumpOffsetCommits(log: KafkaLog, groups: readonly string[]): Promise<Dump['offsetCommits'][number][]> {
  const commits: Dump['offsetCommits'][number][] = []
  for (const { partition, highWatermark } of await log.ends(offsetsTopic)) {
    commits.push(...offsetCommitsIn(withTransactions(await log.read(offsetsTopic, partition, 0, highWatermark))))
  }
  return commits.filter(({ group }) => groups.includes(group))
}

function toRecorded(
  topic: string,
  partition: number,
  { record, offset, timestampMs, producerID, producerEpoch, transaction, endedAtMs }: LogRecord,
  codec: Topic<OrderEvent>['codec'] | undefined
): RecordedRecord {
  const headers = headersOf(record)
  const event = record.value === null ? undefined : decodeOrNot(codec, record.value, headers)
  return {
    topic,
    partition,
    offset,
    timestampMs,
    key: keyOf(record.key),
    headers,
    producerID,
    producerEpoch,
    transaction,
    ...(transaction === 'committed' && { committedAtMs: endedAtMs }),
    valueDigest: record.value === null ? null : createHash('sha256').update(record.value).digest('hex').slice(0, 16),
    ...(event && { event })
  }
}

/** Converts a key to text; distinct keys have distinct texts, even if they are not UTF-8. */
function keyOf(key: Buffer | null | undefined): string | null {
  if (key === null || key === undefined) return null
  return isUtf8(key) ? key.toString() : `hex:${key.toString('hex')}`
}

function headersOf({ headers }: LogRecord['record']): Record<string, string> {
  return Object.fromEntries([...headers].map(([name, content]) => [String(name), content?.toString() ?? '']))
}

function decodeOrNot(
  codec: Topic<OrderEvent>['codec'] | undefined,
  value: Buffer,
  headers: Readonly<Record<string, string>>
): OrderEvent | undefined {
  try {
    return codec?.decode(value, 0, value.length, recordHeaders(headers))
  } catch {
    return undefined
  }
}
