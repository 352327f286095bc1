import type { GivenUp } from '../history/history.ts'
import type { KafkaLog } from './kafka-log.ts'
import { withTransactions } from './transactions.ts'

/** The service's own name for it: what is given up is no record of a topic that was read. */
const topic = 'notifications.dlq'

/** Every notification that was given up, from its dead letter; twice when a process died behind the first. */
export async function dumpGivenUp(log: KafkaLog): Promise<GivenUp[]> {
  const givenUp: GivenUp[] = []
  for (const { partition, highWatermark } of await log.ends(topic)) {
    for (const { record } of withTransactions(await log.read(topic, partition, 0, highWatermark))) {
      const { target, notification, attempts, code, reason } = JSON.parse(String(record.value))
      givenUp.push({ id: notification.id, target, attempts, code, reason })
    }
  }
  return givenUp
}
