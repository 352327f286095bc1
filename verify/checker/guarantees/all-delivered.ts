import type { GivenUp, RecordedRecord, WebhookAttempt } from '../../history/history.ts'
import { isTaken } from '../../plan/webhook-answers.ts'
import { type Evidence, resultTopics } from '../evidence.ts'
import type { Finding } from '../guarantee.ts'

/** Given to the notification services of a run. */
export const deliveryPolicy = { maxAttempts: 5, firstRetryMs: 100, maxRetryMs: 500 }

/** An endpoint that fails gets everything nevertheless, signed and under one id; or what it does not get is given up visibly. */
export function checkWebhooks({ history, visible }: Evidence): Finding[] {
  const { webhooks } = history
  if (webhooks === undefined) return []
  const events = new Map(resultTopics.flatMap(visible).map(record => [record.headers['event-id'] ?? '', record]))
  const attemptsByID = Map.groupBy(webhooks.attempts, ({ id }) => id)
  const givenUp = new Set(webhooks.givenUp.filter(({ target }) => target === webhooks.target).map(({ id }) => id))
  return [
    ...[...events].flatMap(([id, record]) => checkEvent(record, attemptsByID.get(id) ?? [], givenUp.has(id))),
    ...[...attemptsByID].flatMap(([id, attempts]) => checkAttempts(attempts, events.get(id))),
    ...webhooks.givenUp.flatMap(checkGivenUp)
  ]
}

function checkEvent(record: RecordedRecord, attempts: readonly WebhookAttempt[], isGivenUp: boolean): Finding[] {
  if (isGivenUp || attempts.some(({ answer }) => isTaken(answer))) return []
  const summary = `the endpoint has not taken this in ${attempts.length} attempts, and it was not given up`
  return [{ summary, records: [record], orderID: record.event?.orderID, userID: record.event?.userID }]
}

function checkAttempts(attempts: readonly WebhookAttempt[], event: RecordedRecord | undefined): Finding[] {
  const [first] = attempts
  if (first === undefined) return []
  const { id, orderID, userID, atMs } = first
  const about = { orderID, userID, atMs, records: event === undefined ? [] : [event] }
  const find = (summary: string): Finding[] => [{ ...about, summary }]
  if (event === undefined) return find(`webhook ${id} is of no event`)
  if (orderID !== event.event?.orderID || userID !== event.event.userID) return find(`webhook ${id} tells of another`)
  if (attempts.some(({ isSigned }) => !isSigned)) return find(`webhook ${id} is not signed with every secret`)
  return new Set(attempts.map(({ bodyDigest }) => bodyDigest)).size > 1 ? find(`webhook ${id} has several bodies`) : []
}

/** Not before it was tried as often as was agreed on. */
function checkGivenUp({ id, target, attempts, reason }: GivenUp): Finding[] {
  const orderID = id.slice(id.indexOf('-') + 1)
  if (reason === '') return [{ orderID, summary: `${id} was given up for ${target} without a reason` }]
  if (attempts >= deliveryPolicy.maxAttempts) return []
  return [{ orderID, summary: `${id} was given up for ${target} after ${attempts} attempts: ${reason}` }]
}
