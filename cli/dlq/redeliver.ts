import { type DeadLetter, deadLetterHeader } from '@orderly/kafka'
import { inTransaction } from '@orderly/postgres'
import type { Pool } from 'pg'

/**
 * Makes exhausted deliveries due again and resets their attempts. The dead letters in
 * `notifications.dlq` come from the delivery table of the notification service, not from a topic. A
 * delivery that is not exhausted is unchanged, so a repeated call has no effect.
 *
 * As everywhere in the delivery table, delivery lanes are locked first, in their order, and a later
 * statement changes their deliveries.
 */
export async function redeliver(pool: Pool, deadLetters: readonly DeadLetter[]): Promise<void> {
  const events = deadLetters.map(deadLetter => deadLetterHeader(deadLetter, 'event-id') ?? '')
  const targets = deadLetters.map(deadLetter => deadLetterHeader(deadLetter, 'notification-target') ?? '')
  await inTransaction(pool, async client => {
    await client.query(
      `INSERT INTO notification.lanes (target, caller, user_id, due_at)
      SELECT target, caller, user_id, statement_timestamp() FROM notification.deliveries
        JOIN unnest($1::text[], $2::text[]) AS given (event_id, target) USING (event_id, target)
      WHERE status = 'exhausted' GROUP BY target, caller, user_id ORDER BY target, caller, user_id
      ON CONFLICT (target, caller, user_id) DO UPDATE SET due_at = lanes.due_at`,
      [events, targets]
    )
    await client.query(
      `UPDATE notification.deliveries
      SET status = 'due', attempts = 0, code = NULL, reason = NULL, finished_at = NULL, accepted_at = statement_timestamp()
      FROM unnest($1::text[], $2::text[]) AS given (event_id, target)
      WHERE deliveries.event_id = given.event_id AND deliveries.target = given.target AND status = 'exhausted'`,
      [events, targets]
    )
  })
}
