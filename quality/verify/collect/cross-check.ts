import { topicNames } from '@orderly/contracts'
import { isVisible } from '../checker/evidence.ts'
import type { History } from '../history/history.ts'
import { countOrders } from '../report/counts.ts'
import type { CrossCheck } from '../report/report.ts'
import { type Servers, withDatabase } from '../run/servers.ts'

/**
 * Compares the history with counts that share no code with the verifier: from Kafka's own
 * `read_committed` consumer, which read during the run, and from sums in Postgres.
 */
export async function crossCheck(history: History, servers: Pick<Servers, 'databaseURL'>): Promise<CrossCheck> {
  const [java, sql] = [countWithJava(history), await countWithSQL(servers.databaseURL)]
  const { stored, reserved, failed, confirmed, released, poison, poisonedChanges } = countOrders(history)
  // Orders with an early cancel that then became dead letters: decided, but without an outcome
  // event.
  const reported = new Set(history.records.filter(isVisible).map(({ headers }) => headers['event-id']))
  const unreported = history.tables.outcomes.filter(
    ({ orderID, reason }) => reason === 'CANCELLED' && !reported.has(`InventoryFailed-${orderID}`)
  ).length
  const acknowledged = history.poison.filter(entry => entry.acknowledged).length
  const pieces = history.tables.reservationLines.reduce((sum, { quantity }) => sum + quantity, 0)
  const counts: CrossCheck['counts'] = {
    'orders (Java)': [stored, java.get('OrderCreated') ?? 0],
    'different orders (Java)': [stored, java.get('different OrderCreated') ?? 0],
    'reserved (Java)': [reserved, java.get('InventoryReserved') ?? 0],
    'failed (Java)': [failed, java.get('InventoryFailed') ?? 0],
    'confirmed (Java)': [confirmed, java.get('InventoryConfirmed') ?? 0],
    'released (Java)': [released, java.get('InventoryReleased') ?? 0],
    'different releases (Java)': [released, java.get('different InventoryReleased') ?? 0],
    'different outcomes (Java)': [
      reserved + failed,
      (java.get('different InventoryReserved') ?? 0) + (java.get('different InventoryFailed') ?? 0)
    ],
    ...(acknowledged === history.poison.length && {
      'poison (Java)': [poison + poisonedChanges, java.get('') ?? 0] as const
    }),
    'reserved (SQL)': [reserved, sql.reserved],
    'failed (SQL)': [failed + unreported, sql.failed],
    'confirmed (SQL)': [confirmed, sql.confirmed],
    'released (SQL)': [released, sql.released],
    'pieces held (SQL)': [pieces, sql.held],
    'pieces reserved (SQL)': [pieces, sql.inStock]
  }
  return { agrees: Object.values(counts).every(([history, other]) => history === other), counts }
}

/** Counts the records that the Java reader returned, and their distinct ids, by event type. */
function countWithJava({ reads = [] }: History): ReadonlyMap<string, number> {
  const topics: readonly string[] = Object.values(topicNames)
  const polls = reads.filter(({ reader }) => reader.startsWith('java')).flatMap(run => run.polls)
  const ids = polls
    .filter(({ topic }) => topics.includes(topic))
    .flatMap(({ records }) => records.map(([, , eventID = '']) => eventID))
  const counts = new Map<string, number>()
  const count = (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1)
  const typeOf = (id: string) => id.split('-')[0] ?? ''
  for (const id of ids) count(typeOf(id))
  for (const id of new Set(ids)) count(`different ${typeOf(id)}`)
  return counts
}

async function countWithSQL(databaseURL: string) {
  return withDatabase(databaseURL, async client => {
    const { rows } = await client.query(`SELECT
      (SELECT count(*) FROM inventory.outcomes WHERE kind = 'reserved') AS reserved,
      (SELECT count(*) FROM inventory.outcomes WHERE kind = 'failed') AS failed,
      (SELECT count(*) FROM inventory.settlements WHERE kind = 'confirmed') AS confirmed,
      (SELECT count(*) FROM inventory.settlements WHERE kind = 'released') AS released,
      (SELECT coalesce(sum(quantity), 0) FROM inventory.reservation_lines) AS held,
      (SELECT coalesce(sum(reserved), 0) FROM inventory.stock) AS in_stock`)
    const { reserved, failed, confirmed, released, held, in_stock: inStock } = rows[0]
    const counts = { reserved, failed, confirmed, released, held, inStock }
    return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, Number(count)])) as Record<
      keyof typeof counts,
      number
    >
  })
}
