import type { PointSignal } from '../inside/journal.ts'
import type { Line, RequestPlan, Wish } from '../plan/load.ts'
import type { WebhookAnswer } from '../plan/webhook-answers.ts'

/**
 * What happened in a run, as far as anybody outside could see it: all that the checker knows. Plain data, so that it can be
 * saved, read by people, and checked again.
 *
 * - **request**: an order as a client placed it, and what the client learnt: accepted, refused, or nothing (*unknown*).
 * - **record**: one Kafka record, whatever became of its transaction.
 * - **fault**: something done to a process or a connection, from when to when.
 * - **incarnation**: one process of an instance; a restart is a new incarnation of the same instance.
 * - **pass**: an incarnation passed one of the named points of a stage.
 *
 * Times are milliseconds since the epoch, offsets are plain numbers (no run comes near 2^53 records).
 */
export interface History {
  readonly seed: number
  readonly brokers: number
  readonly instances: Readonly<Record<string, number>>
  readonly startedAtMs: number
  readonly endedAtMs: number
  /** Pieces of each SKU before the first order. */
  readonly initialStock: Readonly<Record<string, number>>
  readonly requests: readonly OrderRequest[]
  /** What was wanted of orders that were accepted. */
  readonly wishes: readonly WishRequest[]
  /** What the verifier itself wrote into an input topic: bytes that are no order. */
  readonly poison: readonly PoisonRecord[]
  readonly faults: readonly FaultRun[]
  readonly incarnations: readonly Incarnation[]
  readonly passes: readonly Pass[]
  readonly partitions: readonly PartitionEnd[]
  readonly records: readonly RecordedRecord[]
  /** By `topic/partition`: the offsets that the project's own `read_committed` reader was given, in its order. */
  readonly committedReads: Readonly<Record<string, readonly number[]>>
  readonly offsetCommits: readonly OffsetCommit[]
  readonly groups: readonly GroupDescription[]
  readonly tables: Tables
  /** With Kafka Connect beside the pipeline. */
  readonly audit?: AuditDump
  readonly notifications: readonly NotificationLine[]
  /** What an endpoint of a shop was sent, failing as it did. Histories of earlier versions have none. */
  readonly webhooks?: Webhooks
  readonly recoveries: readonly Recovery[]
}

/** One attempt to place an order. Attempts with the same idempotency key are one order. */
export interface OrderRequest extends RequestPlan {
  readonly sentAtMs: number
  readonly endedAtMs: number
  readonly result:
    | { readonly kind: 'ok'; readonly orderID: string }
    /** Refused for good: it must never appear anywhere. */
    | { readonly kind: 'failed'; readonly status: number }
    /** No answer, or one that leaves it open. */
    | { readonly kind: 'unknown'; readonly reason: string }
}

/** One attempt to cancel or confirm an order, and what the client learnt. */
export interface WishRequest {
  /** Travels as the trace id. */
  readonly id: string
  readonly wish: Wish
  readonly orderID: string
  readonly userID: string
  readonly sentAtMs: number
  readonly endedAtMs: number
  readonly result: /** Answered 202. */
    | { readonly kind: 'asked' }
    /** Answered 200: it is so. */
    | { readonly kind: 'fulfilled' }
    /** Answered 409: it will never be so. */
    | { readonly kind: 'refused'; readonly code: string }
    | { readonly kind: 'unknown'; readonly reason: string }
}

export interface PoisonRecord {
  readonly id: string
  readonly topic: string
  readonly key: string
  readonly writtenAtMs: number
  /** Whether the broker acknowledged it. */
  readonly acknowledged: boolean
}

export interface FaultRun {
  readonly kind: string
  /** An instance (`inventory-2`), a server (`kafka-1`, `postgres`), or a link (`services>kafka-1`). */
  readonly target: string
  readonly detail?: string
  readonly startedAtMs: number
  /** When its cause was gone: restarted, continued, let through. */
  readonly endedAtMs: number
}

export interface Incarnation {
  readonly service: string
  readonly instance: string
  readonly pid: number
  readonly startedAtMs: number
  readonly endedAtMs?: number
  readonly exit?: { readonly code: number | null; readonly signal: string | null }
  /** Another incarnation of the same instance had taken over by then, while this one was frozen. */
  readonly replacedAtMs?: number
  /** When it could run again after that. */
  readonly resumedAtMs?: number
}

export interface Pass {
  readonly pid: number
  readonly atMs: number
  readonly point: string
  /** What the verifier did to the process here. */
  readonly signal?: PointSignal
}

export interface PartitionEnd {
  readonly topic: string
  readonly partition: number
  readonly lastStableOffset: number
  readonly highWatermark: number
}

export interface RecordedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly key: string | null
  readonly headers: Readonly<Record<string, string>>
  readonly producerID: number
  readonly producerEpoch: number
  readonly transaction: 'none' | 'committed' | 'aborted' | 'open'
  /** SHA-256 of the value, shortened: tells whether two records carry the same bytes. */
  readonly valueDigest: string | null
  /** Absent when the value could not be decoded. */
  readonly event?: OrderEvent
}

export interface ShortLine {
  readonly sku: string
  readonly requested: number
  readonly available: number
  readonly reason: string
}

/** The fields of every event of the pipeline; which of them are there depends on the topic. */
export interface OrderEvent {
  readonly orderID: string
  readonly userID: string
  readonly items?: readonly Line[]
  readonly totalMinor?: number
  readonly holdSeconds?: number | null
  readonly holdUntilMs?: number | null
  readonly shortages?: readonly ShortLine[]
  /** Why it failed. */
  readonly reason?: string
  /** What was asked for, and when. */
  readonly change?: string
  readonly requestedAtMs?: number
  /** Why it was released. */
  readonly cause?: string
}

/** A committed offset as it became visible, from the log of the group coordinator; in the order in which that happened. */
export interface OffsetCommit {
  readonly group: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly producerID: number
  readonly producerEpoch: number
}

export interface GroupDescription {
  readonly group: string
  readonly inputs: readonly string[]
}

export interface Tables {
  readonly stock: readonly { readonly sku: string; readonly available: number; readonly reserved: number }[]
  readonly outcomes: readonly OutcomeRow[]
  readonly reservationLines: readonly { readonly orderID: string; readonly sku: string; readonly quantity: number }[]
  readonly settlements: readonly SettlementRow[]
}

export interface AuditDump {
  readonly rows: readonly AuditRow[]
  /** Places of records that the connector has parked in a dead-letter topic of its own. */
  readonly setAside: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[]
}

export interface AuditRow {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly timestampMs: number
  /** By name: moments as milliseconds, JSON parsed. */
  readonly columns: Readonly<Record<string, unknown>>
}

export interface OutcomeRow {
  readonly orderID: string
  readonly userID: string
  readonly kind: 'reserved' | 'failed'
  /** Rises in the sequence of the decisions on any one SKU. */
  readonly sequence: number
  readonly items: readonly Line[] | null
  readonly reason: string | null
  readonly shortages: readonly ShortLine[] | null
  readonly decidedAtMs: number
}

/** What became of a reserved order, and the record that made it so. */
export interface SettlementRow {
  readonly orderID: string
  readonly kind: 'confirmed' | 'released'
  readonly cause: 'cancelled' | 'expired' | null
  /** From the same numbers as those of outcomes. */
  readonly sequence: number
  readonly partition: number
  readonly offset: number
}

export interface NotificationLine {
  readonly id: string
  readonly kind: string
  /** Absent unless the order failed. */
  readonly reason?: string
  readonly orderID: string
  readonly userID: string
  readonly instance: string
  readonly pid: number
  readonly atMs: number
}

export interface Webhooks {
  readonly target: string
  readonly attempts: readonly WebhookAttempt[]
  /** Of all targets: the dead letters of notifications. */
  readonly givenUp: readonly GivenUp[]
}

export interface WebhookAttempt {
  /** Its `webhook-id`. */
  readonly id: string
  readonly atMs: number
  readonly answer: WebhookAnswer
  /** With every secret that the endpoint has. */
  readonly isSigned: boolean
  readonly bodyDigest: string
  readonly type: string
  readonly orderID: string
  readonly userID: string
}

/** A notification that a target did not get. */
export interface GivenUp {
  readonly id: string
  readonly target: string
  readonly attempts: number
  readonly code: string
  readonly reason: string
}

/** How long the pipeline took, once nothing disturbed it any more, to be done with all that was waiting at that moment. */
export interface Recovery {
  readonly healedAtMs: number
  /** Of the faults that ended there. */
  readonly kinds: readonly string[]
  readonly boundMs: number
  /** Absent when it had not recovered after three times the bound. */
  readonly tookMs?: number
  /** What was still waiting then. */
  readonly missing?: string
}
