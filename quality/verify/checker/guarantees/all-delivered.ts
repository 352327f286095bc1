import type { Exhausted, RecordedRecord, WebhookAttempt } from '../../history/history.ts'
import { isTaken } from '../../plan/webhook-answers.ts'
import { type Evidence, resultTopics } from '../evidence.ts'
import type { Finding } from '../guarantee.ts'

/** Retry settings of the notification services in a run. */
export const deliveryPolicy = { maxAttempts: 5, firstRetryMs: 100, maxRetryMs: 500 }

/**
 * Checks that the failing endpoint accepted each event, signed and under one id, or that the
 * delivery is in `notifications.dlq`.
 */
export function checkWebhooks({ history, visible }: Evidence): Finding[] {
  const { webhooks } = history
  if (webhooks === undefined) return []
  const events = new Map(resultTopics.flatMap(visible).map(record => [record.headers['event-id'] ?? '', record]))
  const attemptsByID = Map.groupBy(webhooks.attempts, ({ id }) => id)
  const exhausted = new Set(webhooks.exhausted.filter(({ target }) => target === webhooks.target).map(({ id }) => id))
  return [
    ...[...events].flatMap(([id, record]) => checkEvent(record, attemptsByID.get(id) ?? [], exhausted.has(id))),
    ...[...attemptsByID].flatMap(([id, attempts]) => checkAttempts(attempts, events.get(id))),
    ...webhooks.exhausted.flatMap(checkExhausted)
  ]
}

function checkEvent(record: RecordedRecord, attempts: readonly WebhookAttempt[], isExhausted: boolean): Finding[] {
  if (isExhausted || attempts.some(({ answer }) => isTaken(answer))) return []
  const summary = `the endpoint did not accept this in ${attempts.length} attempts, and there is no dead letter`
  return [{ summary, records: [record], orderID: record.event?.orderID, userID: record.event?.userID }]
}

function checkAttempts(attempts: readonly WebhookAttempt[], event: RecordedRecord | undefined): Finding[] {
  const [first] = attempts
  if (first === undefined) return []
  const { id, orderID, userID, atMs } = first
  const about = { orderID, userID, atMs, records: event === undefined ? [] : [event] }
  const find = (summary: string): Finding[] => [{ ...about, summary }]
  if (event === undefined) return find(`webhook ${id} belongs to no event`)
  if (orderID !== event.event?.orderID || userID !== event.event.userID)
    return find(`webhook ${id} has another order or user than its event`)
  if (attempts.some(({ isSigned }) => !isSigned)) return find(`webhook ${id} is not signed with every secret`)
  return new Set(attempts.map(({ bodyDigest }) => bodyDigest)).size > 1 ? find(`webhook ${id} has several bodies`) : []
}

/** Checks that an exhausted delivery has a reason and all its attempts. */
function checkExhausted({ id, target, attempts, reason }: Exhausted): Finding[] {
  const orderID = id.slice(id.indexOf('-') + 1)
  if (reason === '') return [{ orderID, summary: `the dead letter of ${id} for ${target} has no reason` }]
  if (attempts >= deliveryPolicy.maxAttempts) return []
  return [
    {
      orderID,
      summary: `${id} for ${target} became a dead letter after ${attempts} of ${deliveryPolicy.maxAttempts} attempts: ${reason}`
    }
  ]
}
