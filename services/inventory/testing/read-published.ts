import type { KafkaConnection, Topic } from '@orderly/kafka'
import { type RecordedRecord, readCommitted } from '@orderly/kafka/testing'

export interface Published<Event> {
  readonly eventType: string
  readonly record: RecordedRecord
  readonly event: Event
}

const patienceMs = 90_000

/**
 * Reads topics from the beginning until each order has appeared in one of them.
 * @returns all records read, by order
 */
export async function readPublished<Event>(
  connection: KafkaConnection,
  topics: readonly Topic<Event>[],
  orderIDs: readonly string[]
): Promise<Map<string, Published<Event>[]>> {
  const missing = new Set(orderIDs)
  const allSeen = new AbortController()
  const patience = AbortSignal.timeout(patienceMs)
  const signal = AbortSignal.any([allSeen.signal, patience])

  async function read(topic: Topic<Event>): Promise<Published<Event>[]> {
    let records: readonly RecordedRecord[] = []
    const enough = (seen: readonly RecordedRecord[]) => {
      for (const record of seen.slice(records.length)) missing.delete(orderIDOf(topic, record))
      records = [...seen]
      if (missing.size === 0) allSeen.abort()
      return missing.size === 0
    }
    await readCommitted(connection, topic.name, enough, { signal }).catch(error => {
      if (patience.aborted)
        throw new Error(`timeout: ${missing.size} of ${orderIDs.length} orders did not appear`, { cause: error })
      if (!allSeen.signal.aborted) throw error
    })
    await topic.codec.prepare(records.map(({ value }) => value))
    return records.map(record => ({ eventType: topic.eventType, record, event: topic.codec.decode(record.value) }))
  }

  const published = (await Promise.all(topics.map(read))).flat()
  return Map.groupBy(published, ({ eventType, record }) => orderIDOf({ eventType }, record))
}

/**
 * Length of the order id in an event id; ids of changes and settlements continue with the request
 * id.
 */
const uuidLength = 36

function orderIDOf({ eventType }: Pick<Topic<unknown>, 'eventType'>, { headers }: RecordedRecord): string {
  const from = eventType.length + 1
  return (headers['event-id'] ?? '').slice(from, from + uuidLength)
}
