import type { Exhausted } from '../history/history.ts'
import type { KafkaLog } from './kafka-log.ts'
import { withTransactions } from './transactions.ts'

/** Dead-letter topic of notifications. */
const topic = 'notifications.dlq'

/**
 * Returns all exhausted deliveries from their dead letters. A delivery occurs twice if a process
 * died after it had written the first dead letter.
 */
export async function collectExhausted(log: KafkaLog): Promise<Exhausted[]> {
  const exhausted: Exhausted[] = []
  for (const { partition, highWatermark } of await log.ends(topic)) {
    for (const { record } of withTransactions(await log.read(topic, partition, 0, highWatermark))) {
      const { target, notification, attempts, code, reason } = JSON.parse(String(record.value))
      exhausted.push({ id: notification.id, target, attempts, code, reason })
    }
  }
  return exhausted
}
