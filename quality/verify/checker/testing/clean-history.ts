import { topicNames } from '@orderly/contracts'
import type {
  ChangeRequestBody,
  Exhausted,
  History,
  NotificationLine,
  OffsetCommit,
  OrderRequest,
  OutcomeRow,
  PoisonRecord,
  RecordedRecord,
  SettlementRow,
  WebhookAttempt
} from '../../history/history.ts'
import { type Line, optionalFieldNames, planLoad, planStock, poisonedChangers, poisonedUsers } from '../../plan/load.ts'
import { createRandom } from '../../plan/random.ts'
import { planAnswer } from '../../plan/webhook-answers.ts'
import { sumBySKU } from '../evidence.ts'
import { deliveryPolicy } from '../guarantees/all-delivered.ts'
import { withReads } from './with-reads.ts'

const startMs = 1_700_000_000_000
const partitionCount = 4

type Fields = Partial<RecordedRecord> & { topic: string; key: string }

/**
 * Returns a history that a correct system produces under faults. It contains:
 *
 * - requests with unknown result, and aborted transactions before committed ones
 * - poison records among orders and change requests, and later records of their keys
 * - orders that are cancelled before and after their outcome, confirmed, and expired, each of them
 *   requested twice
 * - repeated notifications, a failing webhook endpoint, and a zombie that exited
 */
export function cleanHistory(seed: number, requestCount = 120): History {
  const random = createRandom(seed, 'clean history')
  const log = createLog(random.integer(1, 3))
  const load = planLoad(seed, { requestsPerSecond: 50 })
  const initialStock = planStock(seed, requestCount)
  const left = new Map(Object.entries(initialStock))
  const requests: OrderRequest[] = []
  const poison: PoisonRecord[] = []
  const inputs: RecordedRecord[] = []

  for (let number = 1; number <= requestCount; number++) {
    const plan = load.next().value
    const sentAtMs = startMs + plan.atMs
    if (random.chance(0.03)) {
      const [id, key] = [`poison-${number}`, random.pick(poisonedUsers)]
      const headers = { 'verify-poison': id }
      inputs.push(log.append({ topic: topicNames.ordersCreated, key, timestampMs: sentAtMs, headers }))
      poison.push({ id, key, topic: topicNames.ordersCreated, writtenAtMs: sentAtMs, acknowledged: true })
    }
    const orderID = `order-${number}`
    const isLost = random.chance(0.05)
    if (plan.defect === undefined && !(isLost && random.chance(0.5))) {
      const { userID, items, totalMinor } = plan
      const optional = Object.fromEntries(optionalFieldNames.map(name => [name, plan[name] ?? null]))
      inputs.push(
        log.append({
          topic: topicNames.ordersCreated,
          key: userID,
          timestampMs: sentAtMs,
          headers: { 'event-id': `OrderCreated-${orderID}`, traceparent: `00-${plan.id}-00000000000000aa-01` },
          event: { orderID, userID, items, totalMinor, ...optional }
        })
      )
    }
    const result: OrderRequest['result'] =
      plan.defect !== undefined
        ? { kind: 'failed', status: 400 }
        : isLost
          ? { kind: 'unknown', reason: 'no answer' }
          : { kind: 'ok', orderID }
    requests.push({ ...plan, sentAtMs, endedAtMs: sentAtMs + random.integer(2, 40), result })
  }

  const outcomes: OutcomeRow[] = []
  const reservationLines: History['tables']['reservationLines'][number][] = []
  const notifications: NotificationLine[] = []
  const results: RecordedRecord[] = []
  const settlements: SettlementRow[] = []
  const changeRequests: ChangeRequestBody[] = []
  const deadLettered = new Set<string>()
  let lastSequence = -1
  const nextSequence = () => {
    lastSequence += 2
    return lastSequence
  }
  const blockedChangers = new Set<string>()
  const writeDeadLetter = (record: RecordedRecord, atMs: number) => {
    log.append(toDeadLetter(record, atMs))
    log.commitOffset('orders-created', record, atMs)
    return record
  }
  const poisonChanges = (key: string, atMs: number) => {
    const id = `poison-changes-${poison.length}`
    const topic = topicNames.ordersChanges
    writeDeadLetter(log.append({ topic, key, timestampMs: atMs, headers: { 'verify-poison': id } }), atMs)
    poison.push({ id, key, topic, writtenAtMs: atMs, acknowledged: true })
    blockedChangers.add(key)
  }
  /** Appends a change request and, if given, its settlement. */
  const change = (order: Asked, kind: 'cancel' | 'confirm' | 'expire', settlement?: Settled): RecordedRecord => {
    const { orderID, userID, atMs } = order
    const id = `${kind === 'cancel' ? 'c' : 'd'}${String(changeRequests.length).padStart(31, '0')}`
    const record = log.append({
      topic: topicNames.ordersChanges,
      key: userID,
      timestampMs: atMs,
      headers: { 'event-id': `OrderChangeRequested-${orderID}-${kind}`, traceparent: `00-${id}-00000000000000aa-01` },
      event: { orderID, userID, change: kind, requestedAtMs: atMs }
    })
    const asked = { id, orderID, userID, sentAtMs: atMs - 5, endedAtMs: atMs + 5, result: { kind: 'asked' } } as const
    if (kind !== 'expire') changeRequests.push({ ...asked, changeRequest: kind })
    if (blockedChangers.has(userID)) return writeDeadLetter(record, atMs)
    log.commitOffset('orders-created', record, atMs)
    if (settlement === undefined) return record
    const { partition, offset } = record
    settlements.push({
      orderID,
      kind: settlement.kind,
      cause: settlement.cause,
      sequence: nextSequence(),
      partition,
      offset
    })
    const type = settlement.kind === 'released' ? 'InventoryReleased' : 'InventoryConfirmed'
    const fields: Fields = {
      topic: settlement.kind === 'released' ? topicNames.inventoryReleased : topicNames.inventoryConfirmed,
      key: userID,
      timestampMs: atMs,
      headers: { 'event-id': `${type}-${orderID}`, traceparent: record.headers.traceparent ?? '' },
      event: { orderID, userID, items: order.items, ...(settlement.cause && { cause: settlement.cause }) }
    }
    while (random.chance(0.1)) log.append({ ...fields, transaction: 'aborted' })
    results.push(log.append({ ...fields, transaction: 'committed' }))
    if (settlement.kind === 'confirmed') return record
    for (const { sku, quantity } of order.items) left.set(sku, (left.get(sku) ?? 0) + quantity)
    for (const line of reservationLines.splice(0)) if (line.orderID !== orderID) reservationLines.push(line)
    return record
  }
  const later: (() => void)[] = []
  /**
   * Appends several change requests for a reserved order; the first applicable one takes effect.
   */
  const changeLater = (order: Asked, holdUntilMs: number | null) => {
    const cancelled = { kind: 'released', cause: 'cancelled' } as const
    const changeRequestsOf =
      holdUntilMs === null ? ['cancel', 'nothing'] : ['confirm', 'expire', 'cancel', 'confirm and cancel']
    const changeRequest = random.pick(changeRequestsOf)
    if (changeRequest.startsWith('confirm')) {
      change(order, 'confirm', { kind: 'confirmed', cause: null })
      change(order, 'confirm')
    }
    if (changeRequest === 'expire') {
      change({ ...order, atMs: (holdUntilMs ?? 0) - 1 }, 'expire')
      change({ ...order, atMs: holdUntilMs ?? 0 }, 'expire', { kind: 'released', cause: 'expired' })
      change({ ...order, atMs: holdUntilMs ?? 0 }, 'confirm')
    }
    if (changeRequest.endsWith('cancel')) {
      change(order, 'cancel', cancelled)
      change(order, 'cancel')
      if (holdUntilMs !== null) change({ ...order, atMs: holdUntilMs }, 'expire')
    }
  }
  // Records of one partition are processed in order, partitions interleave at random.
  const queues = [...Map.groupBy(inputs, ({ partition }) => partition).values()]
  while (queues.some(queue => queue.length > 0)) {
    while (random.chance(0.4)) later.shift()?.()
    const queue = random.pick(queues.filter(queue => queue.length > 0))
    const input = queue.shift() as RecordedRecord
    const decidedAtMs = input.timestampMs + 30
    if (input.event === undefined || deadLettered.has(input.key ?? '')) {
      deadLettered.add(input.key ?? '')
      writeDeadLetter(input, decidedAtMs)
      continue
    }
    if (random.chance(0.02)) poisonChanges(random.pick(poisonedChangers), decidedAtMs)
    const { orderID, userID, items = [], holdSeconds = null } = input.event
    const isCancelled = random.chance(0.05) && !blockedChangers.has(userID)
    if (isCancelled) change({ orderID, userID, items, atMs: decidedAtMs }, 'cancel')
    const shortages = [...sumBySKU(items)]
      .map(([sku, requested]) => ({
        ...{ sku, requested, available: left.get(sku) ?? 0 },
        reason: sku in initialStock ? 'OUT_OF_STOCK' : 'UNKNOWN_SKU'
      }))
      .filter(({ requested, available }) => requested > available)
    const isReserved = shortages.length === 0 && !isCancelled
    const holdUntilMs = holdSeconds === null ? null : decidedAtMs + holdSeconds * 1_000
    const isUnknown = shortages.some(({ reason }) => reason === 'UNKNOWN_SKU')
    const reason = isCancelled ? 'CANCELLED' : isUnknown ? 'UNKNOWN_SKU' : 'OUT_OF_STOCK'
    if (isReserved) {
      for (const { sku, quantity } of items) {
        left.set(sku, (left.get(sku) ?? 0) - quantity)
        reservationLines.push({ orderID, sku, quantity })
      }
    }
    const kind = isReserved ? 'reserved' : 'failed'
    outcomes.push({
      orderID,
      userID,
      kind,
      sequence: nextSequence(),
      items: isReserved ? items : null,
      reason: isReserved ? null : reason,
      shortages: isReserved ? null : isCancelled ? [] : shortages,
      decidedAtMs
    })
    const outcome: Fields = {
      topic: isReserved ? topicNames.inventoryReserved : topicNames.inventoryFailed,
      key: userID,
      timestampMs: decidedAtMs,
      headers: {
        'event-id': `${isReserved ? 'InventoryReserved' : 'InventoryFailed'}-${orderID}`,
        traceparent: input.headers.traceparent ?? ''
      },
      event: isReserved ? { orderID, userID, items, holdUntilMs } : { orderID, userID, reason, shortages }
    }
    while (random.chance(0.1)) log.append({ ...outcome, transaction: 'aborted' })
    results.push(log.append({ ...outcome, transaction: 'committed' }))
    log.commitOffset('orders-created', input, decidedAtMs)
    if (!isReserved) continue
    if (holdUntilMs !== null || random.chance(0.2)) {
      later.push(() => changeLater({ orderID, userID, items, atMs: decidedAtMs + 20 }, holdUntilMs))
    }
  }
  for (const rest of later) rest()
  const webhooks = { target: 'webhook:shop', attempts: [] as WebhookAttempt[], exhausted: [] as Exhausted[] }
  for (const result of results) {
    const { orderID, userID } = result.event as NonNullable<RecordedRecord['event']>
    const line: NotificationLine = {
      id: result.headers['event-id'] ?? '',
      ...kindOf(result),
      orderID,
      userID,
      instance: 'notification-1',
      pid: 300,
      atMs: result.timestampMs + 20
    }
    notifications.push(line)
    const webhook = {
      id: line.id,
      type: line.kind.replace('-', '.'),
      orderID,
      userID,
      isSigned: true,
      bodyDigest: line.id
    }
    for (let number = 1; ; number++) {
      const answer = planAnswer(seed, line.id, number)
      webhooks.attempts.push({ ...webhook, atMs: line.atMs + number, answer })
      if (answer === 200) break
      if (number < deliveryPolicy.maxAttempts) continue
      webhooks.exhausted.push({
        id: line.id,
        target: webhooks.target,
        attempts: number,
        code: 'HTTP_500',
        reason: 'why'
      })
      break
    }
    while (random.chance(0.05)) notifications.push(line)
    log.commitOffset('notifications', result, line.atMs)
  }

  const zombie = { service: 'inventory', instance: 'inventory-1', pid: 100, startedAtMs: startMs }
  return withReads({
    seed,
    brokers: 1,
    instances: { order: 1, inventory: 2, notification: 1 },
    startedAtMs: startMs,
    endedAtMs: startMs + 60_000,
    initialStock,
    requests,
    changeRequests,
    poison,
    faults: [
      { kind: 'replace', target: 'inventory-1', startedAtMs: startMs + 1_000, endedAtMs: startMs + 4_000 },
      { kind: 'kill', target: 'order-1', startedAtMs: startMs + 5_000, endedAtMs: startMs + 6_000 }
    ],
    incarnations: [
      { ...zombie, replacedAtMs: startMs + 3_000, resumedAtMs: startMs + 4_000, endedAtMs: startMs + 5_000 },
      { ...zombie, pid: 101, startedAtMs: startMs + 2_000, endedAtMs: startMs + 60_000 }
    ],
    passes: [
      { pid: 100, atMs: startMs + 900, point: 'before-commit' },
      { pid: 100, atMs: startMs + 4_010, point: 'after-commit' },
      { pid: 101, atMs: startMs + 5_000, point: 'before-commit' },
      { pid: 101, atMs: startMs + 5_005, point: 'after-commit' }
    ],
    partitions: log.ends(),
    records: log.records(),
    offsetCommits: log.offsetCommits(),
    groups: [
      { group: 'orders-created', inputs: [topicNames.ordersCreated, topicNames.ordersChanges] },
      {
        group: 'notifications',
        inputs: [
          topicNames.inventoryReserved,
          topicNames.inventoryFailed,
          topicNames.inventoryConfirmed,
          topicNames.inventoryReleased
        ]
      }
    ],
    tables: {
      stock: Object.entries(initialStock).map(([sku, putIn]) => {
        const available = left.get(sku) ?? 0
        return { sku, available, reserved: putIn - available }
      }),
      outcomes,
      reservationLines,
      settlements
    },
    notifications,
    webhooks,
    recoveries: [{ healedAtMs: startMs + 6_000, kinds: ['kill'], boundMs: 15_000, tookMs: random.integer(0, 14_999) }]
  })
}

interface Asked {
  readonly orderID: string
  readonly userID: string
  readonly items: readonly Line[]
  readonly atMs: number
}

type Settled = Pick<SettlementRow, 'kind' | 'cause'>

function kindOf({ topic, event }: RecordedRecord): Pick<NotificationLine, 'kind' | 'reason'> {
  if (topic === topicNames.inventoryConfirmed) return { kind: 'order-confirmed' }
  if (topic === topicNames.inventoryReserved) return { kind: 'order-reserved' }
  if (topic === topicNames.inventoryReleased) {
    return { kind: event?.cause === 'expired' ? 'order-expired' : 'order-cancelled' }
  }
  const reason = String(event?.reason)
  return reason === 'CANCELLED' ? { kind: 'order-cancelled' } : { kind: 'order-failed', reason }
}

/** Simulates Kafka's partitioning and offsets; each transaction marker takes one offset. */
function createLog(firstEpoch: number) {
  const records: RecordedRecord[] = []
  const ends = new Map<string, number>()
  const commits: OffsetCommit[] = []
  return {
    append({ topic, key, transaction = 'none', ...fields }: Fields): RecordedRecord {
      const partition = [...key].reduce((sum, character) => sum + character.charCodeAt(0), 0) % partitionCount
      const name = `${topic}/${partition}`
      const offset = ends.get(name) ?? 0
      ends.set(name, offset + (transaction === 'none' ? 1 : 2))
      const record: RecordedRecord = {
        timestampMs: startMs,
        headers: {},
        producerID: transaction === 'none' ? 1 : 2,
        producerEpoch: transaction === 'none' ? 0 : firstEpoch,
        valueDigest: `${topic} ${key} ${JSON.stringify(fields.event ?? fields.headers)}`,
        ...fields,
        topic,
        key,
        partition,
        offset,
        transaction
      }
      records.push(record)
      return record
    },
    commitOffset(group: string, { topic, partition, offset }: RecordedRecord, timestampMs: number): void {
      commits.push({ group, topic, partition, offset: offset + 1, timestampMs, producerID: 2, producerEpoch: 0 })
    },
    records: () =>
      records.toSorted((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition || a.offset - b.offset),
    ends: () =>
      [...ends].map(([name, end]) => {
        const [topic = '', partition] = name.split('/')
        return { topic, partition: Number(partition), lastStableOffset: end, highWatermark: end }
      }),
    offsetCommits: () => commits
  }
}

function toDeadLetter(input: RecordedRecord, timestampMs: number): Fields {
  return {
    topic: `${input.topic}.dlq`,
    key: input.key ?? '',
    timestampMs,
    transaction: 'committed',
    valueDigest: input.valueDigest,
    headers: {
      ...input.headers,
      'dlq-stage': 'inventory',
      'dlq-reason': input.event === undefined ? 'not an order' : 'an earlier record with the same key is a dead letter',
      'dlq-topic': input.topic,
      'dlq-partition': String(input.partition),
      'dlq-offset': String(input.offset)
    },
    ...(input.event && { event: input.event })
  }
}
