import type { ClientBase } from 'pg'
import { notASession } from './session.ts'

const rounds = 3

/**
 * Checks that a pooler keeps a session between transactions. In transaction mode, a pooler assigns
 * any idle server connection to each transaction. The check opens transactions in two sessions,
 * ends them in both orders, and fails if a session changes its server process. It detects both LIFO
 * and round-robin poolers.
 *
 * @throws PostgresError with the code `SESSION_REFUSED`
 */
export async function checkPooling(connect: () => Promise<ClientBase & { end(): Promise<void> }>): Promise<void> {
  const [one, other] = [await connect(), await connect()]
  try {
    const processes = new Map<ClientBase, number>()
    for (let round = 0; round < 2 * rounds; round++) {
      const sequence = round % 2 === 0 ? [one, other] : [other, one]
      for (const client of sequence) {
        await client.query('BEGIN').catch(() => {
          throw notASession()
        })
        const { rows } = await client.query('SELECT pg_backend_pid() AS pid')
        if ((processes.get(client) ?? rows[0]?.pid) !== rows[0]?.pid) throw notASession()
        processes.set(client, rows[0]?.pid)
      }
      for (const client of round % 3 === 0 ? sequence : sequence.toReversed()) await client.query('COMMIT')
    }
  } finally {
    await Promise.all([one, other].map(client => client.end().catch(() => {})))
  }
}
