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
  readRanges,
  type Topic,
  toLetter
} from '@orderly/kafka'
import { Failure } from '../command-line/command.ts'
import type { PositionGroup } from './groups.ts'

/**
 * Which records of an exactly-once stage are committed although the offset that says so is lost: those whose outputs, or whose dead
 * letters, are in the topics. Outputs and offsets of a batch are written together, and batches one after the other, so every
 * record of a partition before such a record is committed as well.
 */
export interface Evidence {
  /** The offset behind the last record of the partition that is known to be committed; undefined without one. */
  committedUpTo(topic: string, partition: number): bigint | undefined
  /** Returns whether an event with one of these ids is in the topics. */
  isPublished(eventIDs: readonly string[]): boolean
  /** Returns whether a record whose answer is one of these events is still in its topic, so that the stage will read it. */
  isReadable(eventIDs: readonly string[]): boolean
}

export interface EvidenceParts {
  readonly group: PositionGroup
  readonly connection: KafkaConnection
  readonly inspector: KafkaInspector
  readonly topics: Readonly<{ ordersCreated: Topic<OrderCreated>; ordersChanges: Topic<OrderChangeRequested> }>
  /** The records that may or may not be committed, as far as they are still in their topics. */
  readonly uncertain: readonly OffsetRange[]
  /** No output of them was written before. */
  readonly sinceMs: number
  /** Positions of the change requests that are answered with an event: other records of the same request are not. */
  readonly answered: ReadonlySet<string>
  readonly signal: AbortSignal
}

const outcomeTopics: readonly string[] = [
  topicNames.inventoryReserved,
  topicNames.inventoryFailed,
  topicNames.inventoryConfirmed,
  topicNames.inventoryReleased
]

export async function findEvidence(parts: EvidenceParts): Promise<Evidence> {
  const { group, connection, inspector, topics, uncertain, sinceMs, answered, signal } = parts
  const published = new Map<string, number>()
  if (group.inputs.includes(topicNames.ordersCreated) && group.service === 'inventory') {
    const written = await rangesSince(inspector, outcomeTopics, sinceMs)
    await readRanges(connection, written, record => count(published, record.headers.text('event-id') ?? ''), signal)
  }
  const letters = new Map<string, DeadLetter>()
  // A dead letter has the time of its record, which may be much older than the letter: all of them are read.
  const parked = await rangesSince(inspector, group.inputs.map(deadLetterTopic), undefined)
  await readRanges(
    connection,
    parked,
    record => {
      const letter = toLetter(record)
      const { topic, partition, offset } = letter.source
      if (letter.stage === group.stage && topic !== '') letters.set(`${topic}/${partition}/${offset}`, letter)
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
      eventIDs.some(id => takeOne(published, id)) || isLetterOf(letters.get(`${topic}/${partition}/${offset}`), record)
    if (isCommitted) committed.set(`${topic}/${partition}`, offset + 1n)
  }
  return {
    committedUpTo: (topic, partition) => committed.get(`${topic}/${partition}`),
    isPublished: eventIDs => eventIDs.some(id => published.has(id)),
    isReadable: eventIDs => eventIDs.some(id => readable.has(id))
  }
}

/**
 * Returns the ranges from the first record that is as young as that, or from the beginning, to the last stable offset.
 * @throws Failure when a partition cannot be asked: without its records others would count as not published
 */
async function rangesSince(
  inspector: KafkaInspector,
  names: readonly string[],
  sinceMs: number | undefined
): Promise<OffsetRange[]> {
  const places = (await inspector.topics(names)).flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition }))
  )
  const starts = await inspector.offsets(places, sinceMs === undefined ? 'beginning' : { timeMs: sinceMs })
  const ends = await inspector.offsets(places, 'stable-end')
  return places.flatMap((place, index) => {
    const [from, to] = [starts[index]?.offset, ends[index]?.offset]
    if (from === undefined || to === undefined)
      throw new Failure(`${place.topic}/${place.partition} cannot be read at the moment: try again when it can.`)
    return from < 0n ? [] : [{ ...place, from, to }]
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

/** The ids that the answer to a record may have; none for a record that cannot be read, which is parked. */
function eventIDsOf(record: FetchedRecord, { ordersCreated, ordersChanges }: EvidenceParts['topics']): string[] {
  if (!record.hasValue) return []
  try {
    if (record.topic === ordersCreated.name) return outcomeIDs(record.decode(ordersCreated.codec).orderID)
    if (record.topic === ordersChanges.name) return settlementIDs(record.decode(ordersChanges.codec))
  } catch {
    // Its dead letter is looked for instead.
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

/** A letter of a topic that was deleted since may name the same position. */
function isLetterOf(letter: DeadLetter | undefined, { key, value }: FetchedRecord): boolean {
  if (letter === undefined) return false
  const isSame = (one: Buffer | null, other: Buffer | null) =>
    one === other || (one !== null && other?.equals(one) === true)
  return isSame(letter.key, key) && (letter.value === null || isSame(letter.value, value))
}

function count(counts: Map<string, number>, id: string): void {
  counts.set(id, (counts.get(id) ?? 0) + 1)
}

/** An event answers one record: an order that is in its topic twice has its outcome twice. */
function takeOne(counts: Map<string, number>, id: string): boolean {
  const left = counts.get(id)
  if (left === undefined || left === 0) return false
  counts.set(id, left - 1)
  return true
}
