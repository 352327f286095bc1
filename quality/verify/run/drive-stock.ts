import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { StockChange, StockHistory, StockLevel, StockRead, StockSnapshot } from '../history/stock.ts'
import { createRandom } from '../plan/random.ts'
import { planStockChanges, type StockPlan } from '../plan/stock-changes.ts'
import { pickURL } from './pick-url.ts'
import { reasonOf, reasonOfStatus } from './reason-of.ts'

/**
 * An operator who changes stock during the load: sets it, counts it, and adjusts it with idempotency
 * keys, some of which are repeated. Two observers read the stock at the same time: one through the
 * API of all instances, one in snapshots of the database.
 */
export interface StockDriver {
  /** Resolves when all changes are answered or have no attempts left. */
  stop(): Promise<StockHistory>
}

export interface StockDriverOptions {
  readonly seed: number
  /** SKUs that the orders of the load reserve. */
  readonly skus: readonly string[]
  /** Returns the base URLs of the running instances of the inventory. */
  readonly endpoints: () => readonly string[]
  /** URL that bypasses the proxies. */
  readonly databaseURL: string
}

const patienceMs = 12_000
const snapshotEveryMs = 400

export function driveStock({ seed, skus, endpoints, databaseURL }: StockDriverOptions): StockDriver {
  const changes: StockChange[] = []
  const reads: StockRead[] = []
  const snapshots: StockSnapshot[] = []
  const stopping = new AbortController()
  const inFlight = new Set<Promise<void>>()

  function start(work: Promise<void>): void {
    inFlight.add(work)
    void work.finally(() => inFlight.delete(work))
  }

  /** Waits; resolves early when the driver stops. */
  async function pause(ms: number): Promise<void> {
    await delay(ms, undefined, stopping).catch(() => {})
  }

  async function changeStock(): Promise<void> {
    for (const plan of planStockChanges(seed, skus)) {
      await pause(plan.afterMs)
      if (stopping.signal.aborted) return
      start(applyPlan(plan))
    }
  }

  async function applyPlan(plan: StockPlan): Promise<void> {
    let endpoint = plan.endpoint
    const attempt = async (planned: Pick<StockPlan, 'id' | 'sku' | 'change'>) => {
      const sentAtMs = Date.now()
      const result = await request(pickURL(endpoints(), endpoint++), planned)
      const { id, sku, change } = planned
      changes.push({ id, sku, change, sentAtMs, endedAtMs: Date.now(), result })
      return result
    }
    let { kind } = await attempt(plan)
    for (const retryDelayMs of plan.retryDelaysMs) {
      if (kind !== 'unknown') break
      await delay(retryDelayMs)
      kind = (await attempt(plan)).kind
    }
    for (const repeatDelayMs of plan.repeatDelaysMs) {
      await pause(repeatDelayMs)
      await attempt(plan)
    }
    if (!plan.reusesKey || plan.change.kind !== 'adjust') return
    const other = { ...plan.change, delta: plan.change.delta + 1 || 2 }
    await attempt({ id: `${plan.id}-reused`, sku: plan.sku, change: other })
  }

  async function readStock(): Promise<void> {
    const random = createRandom(seed, 'stock reads')
    while (!stopping.signal.aborted) {
      await pause(random.integer(50, 400))
      const url = pickURL(endpoints(), random.integer(0, 1_000))
      const sku = random.chance(0.3) ? undefined : random.pick(skus)
      const sentAtMs = Date.now()
      const found = await readLevels(url, sku)
      const endedAtMs = Date.now()
      for (const { sku, level } of found) reads.push({ sku, sentAtMs, endedAtMs, ...(level && { level }) })
    }
  }

  async function takeSnapshots(): Promise<void> {
    while (!stopping.signal.aborted) {
      const client = new pg.Client({ connectionString: databaseURL, connectionTimeoutMillis: 5_000 })
      client.on('error', () => {})
      try {
        await client.connect()
        while (!stopping.signal.aborted) {
          const { rows } = await client.query(snapshot)
          snapshots.push({ atMs: Date.now(), rows: rows.map(toNumbers) })
          await pause(snapshotEveryMs)
        }
      } catch {
        // The database is unavailable at times. The next connection continues.
        await pause(snapshotEveryMs)
      } finally {
        await client.end().catch(() => {})
      }
    }
  }

  for (const work of [changeStock(), readStock(), takeSnapshots()]) start(work)
  return {
    async stop() {
      stopping.abort()
      while (inFlight.size > 0) await Promise.all(inFlight)
      return { changes: changes.toSorted((a, b) => a.sentAtMs - b.sentAtMs), reads, snapshots }
    }
  }
}

/** One statement, so that all its numbers are of one snapshot. */
const snapshot = `SELECT sku, available, reserved, coalesce(held, 0) AS held, coalesce(moved, 0) AS moved
  FROM inventory.stock
    LEFT JOIN (SELECT sku, sum(quantity) AS held FROM inventory.reservation_lines GROUP BY sku) AS held USING (sku)
    LEFT JOIN (SELECT sku, sum(delta) AS moved FROM inventory.stock_movements GROUP BY sku) AS moved USING (sku)
  ORDER BY sku`

function toNumbers(row: Record<string, string>): StockSnapshot['rows'][number] {
  const { sku = '', available, reserved, held, moved } = row
  return { sku, available: Number(available), reserved: Number(reserved), held: Number(held), moved: Number(moved) }
}

async function request(
  url: string | undefined,
  { id, sku, change }: Pick<StockPlan, 'id' | 'sku' | 'change'>
): Promise<StockChange['result']> {
  if (url === undefined) return { kind: 'unknown', reason: 'no running instance' }
  const { kind, ...value } = change
  const { key, ...body } = { key: undefined, ...value }
  try {
    const response = await fetch(`${url}/stock/${sku}${kind === 'adjust' ? '/adjustments' : ''}`, {
      method: kind === 'adjust' ? 'POST' : 'PUT',
      headers: { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) },
      body: JSON.stringify({ ...body, reason: id }),
      signal: AbortSignal.timeout(patienceMs)
    })
    const { status, headers } = response
    const answer = (await response.json()) as StockLevel & { readonly code: string }
    if (status === 200)
      return { kind: 'done', level: levelOf(answer), isReplay: headers.get('idempotent-replayed') === 'true' }
    if (status >= 400 && status < 500 && !headers.has('retry-after')) return { kind: 'refused', code: answer.code }
    return { kind: 'unknown', reason: reasonOfStatus(status, headers) }
  } catch (error) {
    return { kind: 'unknown', reason: reasonOf(error) }
  }
}

function levelOf({ available, reserved, onHand }: StockLevel): StockLevel {
  return { available, reserved, onHand }
}

/** Reads the stock of one SKU, or of all. Returns an empty list without an answer. */
async function readLevels(
  url: string | undefined,
  sku: string | undefined
): Promise<{ readonly sku: string; readonly level?: StockLevel }[]> {
  try {
    const response = await fetch(`${url}/stock${sku === undefined ? '' : `/${sku}`}`, {
      signal: AbortSignal.timeout(patienceMs)
    })
    if (response.status === 404 && sku !== undefined) return [{ sku }]
    if (response.status !== 200) return []
    type Item = StockLevel & { readonly sku: string }
    const body = (await response.json()) as Item & { readonly items?: readonly Item[] }
    return (body.items ?? [body]).map(item => ({ sku: item.sku, level: levelOf(item) }))
  } catch {
    return []
  }
}
