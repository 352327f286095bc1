import {
  callerOf,
  type InventoryConfirmed,
  type InventoryFailed,
  type InventoryReleased,
  type InventoryReserved,
  type OrderChangeRequested,
  type OrderCreated,
  type StockMoved,
  type Topics,
  topicNames
} from '@orderly/contracts'
import {
  createTopicReader,
  deadLetterTopic,
  type FetchedRecord,
  type KafkaConnection,
  parseDeadLetter,
  type Topic
} from '@orderly/kafka'
import { runStatement, type Statement } from '@orderly/postgres'
import type { PoolClient } from 'pg'
import { prepare } from '../positions/evidence.ts'
import { List, type Report, type UnexplainedRecord } from './report.ts'
import * as statements from './statements.ts'

/**
 * Input of a rebuild, which restores the inventory's tables from its topics while no inventory
 * runs.
 *
 * 1. Outcomes, then settlements, then movements: missing rows are inserted, with the lines and
 *    holds that belong to them.
 * 2. Input records between the restored position and the committed offset of the group: each must
 *    have an outcome or a dead letter. A cancel with neither was decided before its order, and
 *    becomes the order's outcome again.
 * 3. Stock is set to the sum of the movements minus the pieces that orders reserve.
 *
 * Topics are read in chunks, and each chunk is stored before the next is read. Nothing is decided:
 * an existing row is unchanged.
 */
export interface RebuildOptions {
  readonly client: PoolClient
  readonly connection: KafkaConnection
  readonly topics: Pick<
    Topics,
    | 'ordersCreated'
    | 'ordersChanges'
    | 'inventoryReserved'
    | 'inventoryFailed'
    | 'inventoryConfirmed'
    | 'inventoryReleased'
    | 'stockMovements'
  >
  /** Position in the restored tables and committed offset of each input partition. */
  readonly inputs: readonly InputRange[]
  readonly signal: AbortSignal
  readonly progress: (text: string) => void
}

export interface InputRange {
  readonly topic: string
  readonly partition: number
  /** Undefined if a tool has committed the offset. */
  readonly topicID: string | undefined
  /** Leader epoch of the record before the committed offset; -1 when it is unknown. */
  readonly leaderEpoch: number
  /** Offset that the restored tables contain; undefined if they have no position. */
  readonly restored: bigint | undefined
  /** Offset that the group has committed. */
  readonly committed: bigint
}

const recordsInAChunk = 1_000

type Counts = Record<string, number>

export type Rebuilt = Pick<Report, 'added' | 'lost' | 'contradictions' | 'stock'> & {
  readonly callers: readonly string[]
}

export async function rebuild(options: RebuildOptions): Promise<Rebuilt> {
  const { client, connection, topics, inputs, signal, progress } = options
  const added: Counts = {}
  const unreadable = new List<string>()
  const contradictingOutcomes = new List<string>()
  const contradictingAdjustments = new List<string>()
  const lostSettlements = new List<string>()
  const callers = new Set<string>()
  let highestSequence = 0

  /** Passes the events of a topic to `use` in chunks. */
  async function readEvents<Event>(
    topic: Topic<Event>,
    use: (events: readonly { readonly event: Event; readonly record: FetchedRecord }[]) => Promise<void>,
    ranges: readonly InputRange[] = []
  ): Promise<void> {
    const from = ranges.flatMap(({ topic, partition, restored }) =>
      restored === undefined ? [] : [{ topic, partition, offset: restored }]
    )
    const ends = new Map(ranges.map(({ partition, committed }) => [partition, committed]))
    const reader = createTopicReader(connection, [topic.name], { from })
    let count = 0
    try {
      await reader.readBatches(async records => {
        const wanted =
          ranges.length === 0
            ? records
            : records.filter(({ partition, offset }) => offset < (ends.get(partition) ?? 0n))
        for (let start = 0; start < wanted.length; start += recordsInAChunk) {
          signal.throwIfAborted()
          await use(await decode(topic, wanted.slice(start, start + recordsInAChunk)))
        }
        count += wanted.length
      }, signal)
    } finally {
      await reader.close()
    }
    progress(`${topic.name}: ${count} records read`)
  }

  async function decode<Event>(topic: Topic<Event>, records: readonly FetchedRecord[]) {
    const { codec, name } = topic
    await prepare(topic, records)
    return records.flatMap(record => {
      try {
        if (!record.hasValue) throw new Error('no value')
        return [{ event: record.decode(codec), record }]
      } catch {
        // An undecodable input became a dead letter. An undecodable result was not written by the
        // inventory.
        if (name !== topicNames.ordersCreated && name !== topicNames.ordersChanges)
          unreadable.add([`${name} ${record.partition}/${record.offset}`])
        return []
      }
    })
  }

  async function apply(what: string, statement: Statement, contradictions: List<string>): Promise<void> {
    const { rows } = await runStatement(client, statement)
    added[what] = (added[what] ?? 0) + rows[0]?.added
    contradictions.add(rows[0]?.contradicting ?? [])
  }

  const noteSequences = (events: readonly { readonly sequence: number }[]) => {
    for (const { sequence } of events) highestSequence = Math.max(highestSequence, sequence)
  }

  await readEvents<InventoryReserved>(topics.inventoryReserved, async chunk => {
    noteSequences(chunk.map(({ event }) => event))
    await apply('reservation', statements.addReserved(chunk.map(owned)), contradictingOutcomes)
  })
  await readEvents<InventoryFailed>(topics.inventoryFailed, async chunk => {
    noteSequences(chunk.map(({ event }) => event))
    await apply('failure', statements.addFailed(chunk.map(owned)), contradictingOutcomes)
  })
  await readEvents<InventoryConfirmed>(topics.inventoryConfirmed, async chunk => {
    const events = chunk.map(({ event }) => event)
    noteSequences(events)
    await apply('confirmation', statements.addSettlements(events, 'confirmed'), lostSettlements)
  })
  await readEvents<InventoryReleased>(topics.inventoryReleased, async chunk => {
    const events = chunk.map(({ event }) => event)
    noteSequences(events)
    await apply('release', statements.addSettlements(events, 'released'), lostSettlements)
  })
  await readEvents<StockMoved>(topics.stockMovements, async chunk => {
    const events = chunk.map(({ event }) => event)
    noteSequences(events)
    await apply('movement', statements.addMovements(events), contradictingAdjustments)
  })
  await client.query(statements.raiseSequence, [highestSequence])

  await client.query(statements.createUnexplained)
  const rangesOf = (topic: string) => inputs.filter(input => input.topic === topic)
  await readEvents<OrderCreated>(
    topics.ordersCreated,
    async chunk => {
      for (const { record } of chunk) {
        const caller = callerOf(record.headers)
        if (caller !== undefined && callers.size < mostCallers) callers.add(caller)
      }
      await runStatement(client, statements.keepUnexplained(chunk.map(readRecord)))
    },
    rangesOf(topicNames.ordersCreated)
  )
  await readEvents<OrderChangeRequested>(
    topics.ordersChanges,
    async chunk => {
      const cancels = chunk.filter(({ event }) => event.change === 'cancel')
      await runStatement(client, statements.keepUnexplained(cancels.map(readRecord)))
    },
    rangesOf(topicNames.ordersChanges)
  )
  await explainDeadLetters(options)
  const { rows } = await client.query(statements.addEarlyCancels, [topicNames.ordersChanges, topicNames.ordersCreated])
  added.cancellation = rows[0].count

  return {
    added,
    lost: {
      outcomes: await lostOutcomes(client),
      settlements: lostSettlements,
      unreadable,
      movements: new List()
    },
    contradictions: {
      outcomes: contradictingOutcomes,
      adjustments: contradictingAdjustments,
      movements: await brokenChains(client)
    },
    stock: new List(),
    callers: [...callers]
  }
}

const mostCallers = 10_000

function owned<Event>({ event, record }: { event: Event; record: FetchedRecord }): statements.Owned<Event> {
  return { event, caller: callerOf(record.headers) }
}

function readRecord({
  event: { orderID, userID },
  record
}: {
  event: { readonly orderID: string; readonly userID: string }
  record: FetchedRecord
}): statements.ReadRecord {
  const { topic, partition, offset, timestampMs, headers } = record
  return { topic, partition, offset: Number(offset), orderID, userID, caller: callerOf(headers), atMs: timestampMs }
}

async function explainDeadLetters({ client, connection, signal }: RebuildOptions): Promise<void> {
  const names = [topicNames.ordersCreated, topicNames.ordersChanges].map(deadLetterTopic)
  const reader = createTopicReader(connection, names)
  try {
    await reader.readBatches(async records => {
      const deadLetters = records.map(parseDeadLetter)
      for (let start = 0; start < deadLetters.length; start += recordsInAChunk) {
        const chunk = deadLetters.slice(start, start + recordsInAChunk)
        const sources = chunk.flatMap(({ source, origin }) => [source, origin])
        await runStatement(client, statements.explainDeadLetters(sources))
      }
    }, signal)
  } finally {
    await reader.close()
  }
}

async function lostOutcomes(client: PoolClient): Promise<List<UnexplainedRecord>> {
  const { rows } = await client.query(
    `SELECT order_id AS "orderID", topic, partition, record_offset AS offset, count(*) OVER () AS count
      FROM unexplained WHERE topic = $1 ORDER BY partition, record_offset LIMIT 20`,
    [topicNames.ordersCreated]
  )
  const list = new List<UnexplainedRecord>()
  list.add(rows.map(({ orderID, topic, partition, offset }) => ({ orderID, topic, partition, offset })))
  list.count = rows[0]?.count ?? 0
  return list
}

async function brokenChains(client: PoolClient) {
  const list = new List<{ readonly sku: string; readonly movementID: string; readonly missing: number }>()
  list.add((await client.query(statements.brokenChains)).rows)
  return list
}

/**
 * Sets stock to the sum of the movements minus the pieces that orders reserve.
 * @returns the differences, and the pieces that no movement explains
 */
export async function correctStock(client: PoolClient): Promise<{
  readonly stock: List<statements.StockDifference>
  readonly short: List<statements.StockDifference>
}> {
  const [stock, short] = [new List<statements.StockDifference>(), new List<statements.StockDifference>()]
  const { rows } = await client.query<statements.StockDifference>(statements.stockDifferences)
  const missing = rows.filter(({ available }) => available < 0)
  stock.add(rows)
  short.add(missing)
  if (missing.length > 0) await runStatement(client, statements.addInferredMovements(missing))
  const levels = rows.map(({ sku, available, reserved }) => ({ sku, available: Math.max(0, available), reserved }))
  if (levels.length > 0) await runStatement(client, statements.setStock(levels))
  return { stock, short }
}
