import { topicNames } from '@orderly/contracts'
import type { RecordedRecord } from '../../history/history.ts'
import type { MovementRow, StockChange, StockLevel, StockRead } from '../../history/stock.ts'
import type { Evidence } from '../evidence.ts'
import type { Finding } from '../guarantee.ts'

/**
 * Checks the stock changes of operators. Each change is recorded as a movement, whose reason is the
 * id of the change. The movements of a SKU are numbered in their order, so the pieces on hand of
 * each SKU have a known sequence of values. Reservations do not change them.
 *
 * - A change that was answered took effect exactly once, with this answer; a refused one never.
 * - Each read shows a value of the sequence that was current at some time during the read.
 * - In each snapshot, movements and reservations add up.
 * - The topic has every movement, in order, and nothing else.
 */
export function checkStockChanges(evidence: Evidence): Finding[] {
  const { stock, tables } = evidence.history
  const movements = tables.movements?.toSorted((a, b) => a.sequence - b.sequence)
  if (stock === undefined || movements === undefined) return []
  const movementsBySKU = Map.groupBy(movements, ({ sku }) => sku)
  const readsBySKU = Map.groupBy(stock.reads, ({ sku }) => sku)
  return [
    ...checkEffects(stock.changes, movements),
    ...stock.snapshots.flatMap(({ atMs, rows }) => rows.flatMap(row => checkSnapshot(row, atMs))),
    ...[...readsBySKU].flatMap(([sku, reads]) =>
      checkReads(
        reads,
        movementsBySKU.get(sku) ?? [],
        stock.changes.filter(change => change.sku === sku)
      )
    ),
    ...checkTopic(evidence.visible(topicNames.stockMovements), movements)
  ]
}

/** Kinds of movements that no operator causes. */
const ownKinds = ['seed', 'opening']

function checkEffects(changes: readonly StockChange[], movements: readonly MovementRow[]): Finding[] {
  const attemptsByID = Map.groupBy(changes, ({ id }) => id)
  const movementsByReason = Map.groupBy(movements, ({ reason }) => reason ?? '')
  const strange = movements.filter(({ kind, reason }) => !ownKinds.includes(kind) && !attemptsByID.has(reason ?? ''))
  return [
    ...[...attemptsByID].flatMap(([id, attempts]) => checkEffect(id, attempts, movementsByReason.get(id) ?? [])),
    ...strange.map(({ sku, sequence, reason }) => {
      return { sku, summary: `movement ${sequence} of ${sku} (${reason}) belongs to no change` }
    })
  ]
}

function checkEffect(id: string, attempts: readonly StockChange[], own: readonly MovementRow[]): Finding[] {
  const [first] = attempts
  if (first === undefined) return []
  const { sku, change, sentAtMs } = first
  const find = (summary: string): Finding[] => [{ sku, atMs: sentAtMs, summary: `${id} of ${sku}: ${summary}` }]
  const done = attempts.flatMap(({ result }) => (result.kind === 'done' ? [result] : []))
  const isUnknown = attempts.some(({ result }) => result.kind === 'unknown')
  const [movement] = own
  if (own.length > 1) return find(`${change.kind} was requested once, and took effect ${own.length} times`)
  if (movement === undefined) return done.length > 0 ? find(`${change.kind} was answered 200, and has no movement`) : []
  if (done.length === 0 && !isUnknown) return find(`${change.kind} was refused, and took effect`)
  const wrong = wrongEffect(first, movement)
  if (wrong !== undefined) return find(wrong)
  if (done.filter(({ isReplay }) => !isReplay).length > 1) return find('two answers were no replays')
  const other = done.find(({ level }) => !isLevelOf(level, movement))
  return other === undefined
    ? []
    : find(`answered with ${describe(other.level)}, but the movement has ${describe(levelOf(movement))}`)
}

function wrongEffect({ sku, change }: StockChange, movement: MovementRow): string | undefined {
  if (movement.sku !== sku || movement.kind !== change.kind)
    return `became the movement ${movement.kind} of ${movement.sku}`
  const { onHand, available } = levelOf(movement)
  switch (change.kind) {
    case 'set':
      return available === change.available ? undefined : `set ${change.available}, but the movement has ${available}`
    case 'count':
      return onHand === change.onHand ? undefined : `counted ${change.onHand}, but the movement has ${onHand}`
    case 'adjust':
      return movement.delta === change.delta && movement.idempotencyKey === change.key
        ? undefined
        : `adjusted by ${change.delta} with key ${change.key}, but the movement has ${movement.delta} and ${movement.idempotencyKey}`
  }
}

function checkSnapshot(
  row: {
    readonly sku: string
    readonly available: number
    readonly reserved: number
    readonly held: number
    readonly moved: number
  },
  atMs: number
): Finding[] {
  const { sku, available, reserved, held, moved } = row
  const find = (summary: string): Finding[] => [{ sku, atMs, summary: `in a snapshot during the run, ${summary}` }]
  if (available < 0 || reserved < 0) return find(`${available} of ${sku} are available and ${reserved} reserved`)
  if (reserved !== held)
    return find(`${reserved} of ${sku} are reserved, but the reservations of orders add up to ${held}`)
  if (available + reserved !== moved)
    return find(`${available} of ${sku} are available and ${reserved} reserved, but the movements add up to ${moved}`)
  return []
}

/**
 * Checks that each read shows pieces on hand that were current during the read: not before a change
 * that was answered before the read began, not after a change that was requested after it ended, and
 * not before those of a read that had ended before.
 */
function checkReads(
  reads: readonly StockRead[],
  movements: readonly MovementRow[],
  changes: readonly StockChange[]
): Finding[] {
  const bounds = boundsOf(movements, changes)
  const values: (number | undefined)[] = [undefined]
  for (const { delta } of movements) values.push((values.at(-1) ?? 0) + delta)
  const findings: Finding[] = []
  /** Reads in the order of their ends, each with the lowest position that it can have. */
  const ended: { readonly endedAtMs: number; readonly lowest: number }[] = []
  for (const { sku, sentAtMs, endedAtMs, level } of reads.toSorted((a, b) => a.sentAtMs - b.sentAtMs)) {
    const find = (summary: string) => findings.push({ sku, atMs: endedAtMs, summary })
    if (
      level !== undefined &&
      (level.available < 0 || level.reserved < 0 || level.onHand !== level.available + level.reserved)
    ) {
      find(`a read of ${sku} showed ${describe(level)}`)
      continue
    }
    const answered = bounds.findLastIndex(({ answeredAtMs }) => answeredAtMs < sentAtMs) + 1
    const seen = ended.reduce((most, own) => (own.endedAtMs < sentAtMs ? Math.max(most, own.lowest) : most), 0)
    const unrequested = bounds.findIndex(({ requestedAtMs }) => requestedAtMs > endedAtMs)
    const highest = unrequested < 0 ? movements.length : unrequested
    const lowest = values.findIndex(
      (value, position) => position >= Math.max(answered, seen) && value === level?.onHand
    )
    if (lowest >= 0 && lowest <= highest) {
      ended.push({ endedAtMs, lowest })
      continue
    }
    const possible = values.slice(Math.max(answered, seen), highest + 1).join(', ')
    find(`a read showed ${level?.onHand ?? 'no'} pieces of ${sku} on hand; at that time there were ${possible}`)
  }
  return findings
}

interface Bounds {
  /** Time of the first request for the change. */
  readonly requestedAtMs: number
  /** Time of the first answer that confirms the change. */
  readonly answeredAtMs: number
}

/** Returns between which times each movement took effect. Those of the start precede the run. */
function boundsOf(movements: readonly MovementRow[], changes: readonly StockChange[]): readonly Bounds[] {
  const attemptsByID = Map.groupBy(changes, ({ id }) => id)
  return movements.map(({ kind, reason }) => {
    if (ownKinds.includes(kind)) return { requestedAtMs: 0, answeredAtMs: 0 }
    const attempts = attemptsByID.get(reason ?? '') ?? []
    const answered = attempts.filter(({ result }) => result.kind === 'done').map(({ endedAtMs }) => endedAtMs)
    return {
      requestedAtMs: Math.min(...attempts.map(({ sentAtMs }) => sentAtMs)),
      answeredAtMs: Math.min(...answered)
    }
  })
}

/** Checks that the topic has each movement at least once, those of a SKU in order. */
function checkTopic(records: readonly RecordedRecord[], movements: readonly MovementRow[]): Finding[] {
  const rows = new Map(movements.map(row => [row.movementID, row]))
  const published = new Map<string, RecordedRecord>()
  const lastOf = new Map<string, number>()
  const findings: Finding[] = []
  for (const record of records) {
    const { movementID = '', ...event } = (record.event ?? {}) as Partial<MovementRow>
    const row = rows.get(movementID)
    const about = { sku: record.key ?? '', records: [record] }
    if (row === undefined) {
      findings.push({ ...about, summary: `the topic has a movement that is not in the database: ${movementID}` })
      continue
    }
    const { sku, sequence, delta, available, reserved } = row
    const isSame = event.sku === sku && event.sequence === sequence && event.delta === delta && record.key === sku
    if (!isSame || event.available !== available || event.reserved !== reserved)
      findings.push({ ...about, summary: `movement ${sequence} of ${sku} has other content in the topic` })
    if (published.has(movementID)) continue
    published.set(movementID, record)
    const before = lastOf.get(sku) ?? Number.NEGATIVE_INFINITY
    if (sequence < before)
      findings.push({ ...about, summary: `movement ${sequence} of ${sku} follows ${before} in the topic` })
    lastOf.set(sku, Math.max(before, sequence))
  }
  for (const { movementID, sku, sequence } of movements) {
    if (!published.has(movementID))
      findings.push({ sku, summary: `movement ${sequence} of ${sku} is not in the topic` })
  }
  return findings
}

function levelOf({ available, reserved }: MovementRow): StockLevel {
  return { available, reserved, onHand: available + reserved }
}

function isLevelOf(level: StockLevel, movement: MovementRow): boolean {
  return level.available === movement.available && level.reserved === movement.reserved
}

function describe({ available, reserved, onHand }: StockLevel): string {
  return `${available} available, ${reserved} reserved and ${onHand} on hand`
}
