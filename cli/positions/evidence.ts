import {
  type OrderChangeRequested,
  type OrderCreated,
  settlementName,
  topicNames,
  unnamedRequestID
} from '@orderly/contracts'
import {
  type DeadLetter,
  deadLetterTopic,
  type FetchedRecord,
  type KafkaConnection,
  type KafkaInspector,
  type OffsetRange,
  parseDeadLetter,
  partitionKey,
  readRanges,
  type Topic
} from '@orderly/kafka'
import { Failure } from '../command-line/command.ts'
import type { PositionGroup } from './groups.ts'

/**
 * Evidence about which records of an exactly-once stage are committed although their offset is
 * lost. A record is committed if its outputs or its dead letter are in the topics. Outputs and
 * offset of a batch are written together, and batches one after the other. So every record that
 * precedes a committed record in its partition is committed too.
 */
export interface Evidence {
  /**
   * Returns the offset after the last record that is known to be committed; undefined if there is
   * none.
   */
  committedUpTo(topic: string, partition: number): bigint | undefined
  /** Returns whether an event with one of these ids is in the topics. */
  isPublished(eventIDs: readonly string[]): boolean
  /**
   * Returns whether a record that leads to one of these events is still in its topic, so that the
   * stage will read it.
   */
  isReadable(eventIDs: readonly string[]): boolean
}

export interface EvidenceOptions {
  readonly group: PositionGroup
  readonly connection: KafkaConnection
  readonly inspector: KafkaInspector
  readonly topics: Readonly<{ ordersCreated: Topic<OrderCreated>; ordersChanges: Topic<OrderChangeRequested> }>
  /** Records that may be uncommitted, as far as they are still in their topics. */
  readonly uncertain: readonly OffsetRange[]
  /** Time before which none of their outputs was written. */
  readonly sinceMs: number
  /**
   * Positions of the change requests that caused an event. A request can be in the topic more than
   * once; the inventory writes an event only for one of these records.
   */
  readonly answered: ReadonlySet<string>
  readonly signal: AbortSignal
}

const outcomeTopics: readonly string[] = [
  topicNames.inventoryReserved,
  topicNames.inventoryFailed,
  topicNames.inventoryConfirmed,
  topicNames.inventoryReleased
]

export async function findEvidence(options: EvidenceOptions): Promise<Evidence> {
  const { group, connection, inspector, topics, uncertain, sinceMs, answered, signal } = options
  const published = new Map<string, number>()
  if (group.inputs.includes(topicNames.ordersCreated) && group.service === 'inventory') {
    const written = await rangesSince(inspector, outcomeTopics, sinceMs)
    await readRanges(connection, written, record => count(published, record.headers.text('event-id') ?? ''), signal)
  }
  const deadLetters = new Map<string, DeadLetter>()
  // A dead letter has the timestamp of its record, which may be much older. So all dead letters are
  // read.
  const deadLettered = await rangesSince(inspector, group.inputs.map(deadLetterTopic), undefined)
  await readRanges(
    connection,
    deadLettered,
    record => {
      const deadLetter = parseDeadLetter(record)
      const { topic, partition, offset } = deadLetter.source
      if (deadLetter.stage === group.stage && topic !== '')
        deadLetters.set(`${partitionKey({ topic, partition })}/${offset}`, deadLetter)
    },
    signal
  )

  const records: FetchedRecord[] = []
  await readRanges(connection, uncertain, record => records.push(record), signal)
  for (const topic of Object.values(topics)) {
    await prepare(
      topic,
      records.filter(record => record.topic === topic.name)
    )
  }
  const committed = new Map<string, bigint>()
  const readable = new Set<string>()
  for (const record of records) {
    const { topic, topicID, partition, offset } = record
    const isAnswered = topic !== topics.ordersChanges.name || answered.has(positionKey({ topicID, partition, offset }))
    const eventIDs = isAnswered ? eventIDsOf(record, topics) : []
    for (const id of eventIDs) readable.add(id)
    const isCommitted =
      eventIDs.some(id => takeOne(published, id)) ||
      isDeadLetterOf(deadLetters.get(`${partitionKey(record)}/${offset}`), record)
    if (isCommitted) committed.set(partitionKey(record), offset + 1n)
  }
  return {
    committedUpTo: (topic, partition) => committed.get(partitionKey({ topic, partition })),
    isPublished: eventIDs => eventIDs.some(id => published.has(id)),
    isReadable: eventIDs => eventIDs.some(id => readable.has(id))
  }
}

/**
 * Returns the ranges from the first record at or after `sinceMs`, or from the beginning, to the
 * last stable offset.
 * @throws Failure if a partition cannot be read, because its events would count as unpublished
 */
async function rangesSince(
  inspector: KafkaInspector,
  names: readonly string[],
  sinceMs: number | undefined
): Promise<OffsetRange[]> {
  const partitions = (await inspector.topics(names)).flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition }))
  )
  const starts = await inspector.offsets(partitions, sinceMs === undefined ? 'beginning' : { timeMs: sinceMs })
  const ends = await inspector.offsets(partitions, 'stable-end')
  return partitions.flatMap((own, index) => {
    const [from, to] = [starts[index]?.offset, ends[index]?.offset]
    if (from === undefined || to === undefined)
      throw new Failure(`${partitionKey(own)} cannot be read at the moment: try again later.`)
    return from < 0n ? [] : [{ ...own, from, to }]
  })
}

/** Loads the schemas of the records' values. */
export async function prepare(
  { codec }: Pick<Topic<unknown>, 'codec'>,
  records: readonly FetchedRecord[]
): Promise<void> {
  const own = records.filter(({ hasValue }) => hasValue)
  if (own.length === 0) return
  await codec.prepare(
    own.map(({ value }) => value as Buffer),
    own.map(({ headers }) => headers)
  )
}

/** Returns a key for the position of a change request. */
export function positionKey(position: {
  readonly topicID: string | undefined
  readonly partition: number
  readonly offset: bigint | number
}): string {
  return `${position.topicID}/${position.partition}/${position.offset}`
}

/**
 * Returns the ids of the events that may answer a record; empty for an undecodable record, which
 * becomes a dead letter.
 */
function eventIDsOf(record: FetchedRecord, { ordersCreated, ordersChanges }: EvidenceOptions['topics']): string[] {
  if (!record.hasValue) return []
  try {
    if (record.topic === ordersCreated.name) return outcomeIDs(record.decode(ordersCreated.codec).orderID)
    if (record.topic === ordersChanges.name) return settlementIDs(record.decode(ordersChanges.codec))
  } catch {
    // The search for its dead letter covers this record.
  }
  return []
}

export function outcomeIDs(orderID: string): string[] {
  return [`InventoryReserved-${orderID}`, `InventoryFailed-${orderID}`]
}

function settlementIDs({ orderID, change, requestedAtMs, requestID: givenID }: OrderChangeRequested): string[] {
  const requestID = givenID === '' ? unnamedRequestID(orderID, change, requestedAtMs) : givenID
  const name = settlementName({ orderID, requestID })
  return [`InventoryReleased-${name}`, `InventoryConfirmed-${name}`]
}

/**
 * Returns whether a dead letter belongs to a record. A dead letter of a deleted topic may name the
 * same position.
 */
function isDeadLetterOf(deadLetter: DeadLetter | undefined, { key, value }: FetchedRecord): boolean {
  if (deadLetter === undefined) return false
  const isSame = (one: Buffer | null, other: Buffer | null) =>
    one === other || (one !== null && other?.equals(one) === true)
  return isSame(deadLetter.key, key) && (deadLetter.value === null || isSame(deadLetter.value, value))
}

function count(counts: Map<string, number>, id: string): void {
  counts.set(id, (counts.get(id) ?? 0) + 1)
}

/**
 * Consumes one occurrence of an event. An event answers one record: an order that is in its topic
 * twice has two outcome events.
 */
function takeOne(counts: Map<string, number>, id: string): boolean {
  const left = counts.get(id)
  if (left === undefined || left === 0) return false
  counts.set(id, left - 1)
  return true
}
