/**
 * Example: updates balances in Postgres, and writes each new balance to Kafka.
 *
 * No transaction spans Postgres and Kafka. The order of the two commits decides what a crash
 * between them costs:
 *
 * 1. `process` commits to Postgres.
 * 2. The stage commits the outputs and the input offsets to Kafka.
 *
 * After a crash between 1 and 2, Kafka delivers the batch again, and step 1 must not count it twice.
 * So Postgres stores the result of each payment under the payment's id, and a repetition reads the
 * stored result. The outputs are therefore the same as those of the first attempt. The other order
 * of commits would lose the payments of a batch, because Kafka would not deliver it again.
 *
 * `PositionStore` adds the detection of a database that was restored from a backup.
 */
import {
  jsonCodec,
  type KafkaConnection,
  type Logger,
  type OutputRecord,
  type RunningStage,
  runStage,
  type Stage,
  type Topic
} from '@orderly/kafka'
import type { Pool } from 'pg'

export interface Deposit {
  readonly id: string
  readonly account: string
  readonly cents: number
}

export const deposits: Topic<Deposit> = {
  name: 'postgres.deposits',
  eventType: 'Deposit',
  codec: jsonCodec<Deposit>()
}
export const balancesTopic = 'postgres.balances'

export const schema = `
  CREATE SCHEMA accounts;
  CREATE TABLE accounts.deposits (
    id text PRIMARY KEY, account text NOT NULL, cents bigint NOT NULL, balance_after bigint NOT NULL
  );
  CREATE TABLE accounts.balances (account text PRIMARY KEY, cents bigint NOT NULL)`

/** Adds one deposit, unless it was added before. Returns the balance after it in both cases. */
const addDeposit = `
  WITH known AS (SELECT balance_after FROM accounts.deposits WHERE id = $1),
  changed AS (
    INSERT INTO accounts.balances AS b (account, cents) SELECT $2, $3 WHERE NOT EXISTS (SELECT FROM known)
    ON CONFLICT (account) DO UPDATE SET cents = b.cents + excluded.cents RETURNING cents
  ),
  stored AS (INSERT INTO accounts.deposits SELECT $1, $2, $3, cents FROM changed)
  SELECT balance_after AS balance FROM known UNION ALL SELECT cents FROM changed`

export function balanceStage(pool: Pool): Stage<Deposit> {
  return {
    name: 'balances',
    group: 'postgres',
    inputs: [deposits],
    async process(records) {
      const client = await pool.connect()
      try {
        await client.query('BEGIN')
        const outputs: OutputRecord[] = []
        for (const { event } of records) {
          const { rows } = await client.query(addDeposit, [event.id, event.account, event.cents])
          const headers = { 'deposit-id': event.id }
          outputs.push({ topic: balancesTopic, key: event.account, value: Buffer.from(rows[0].balance), headers })
        }
        await client.query('COMMIT')
        client.release()
        return outputs
      } catch (error) {
        // Closes the connection, which rolls the transaction back.
        client.release(true)
        throw error
      }
    }
  }
}

/** Connection failures, shutdowns, deadlocks: the batch is retried. Other errors lead to a dead letter. */
function isTransient(error: unknown): boolean {
  const { code } = error as { readonly code?: string }
  return /^(08|40|53|57P)|^E(CONN|PIPE|TIMEDOUT)/.test(code ?? '') || /terminated|timeout/.test(String(error))
}

export function startBalances(stage: Stage<Deposit>, connection: KafkaConnection, logger: Logger): RunningStage {
  const ids = { transactionalID: 'balances-1', instanceID: 'balances-1' }
  return runStage(stage, { connection, ...ids, isTransient, logger })
}
