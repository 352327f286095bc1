import type { OrderCreated } from '@orderly/contracts'
import type { ChangeKind, Line, OptionalField, RequestPlan } from '../plan/load.ts'
import type { WebhookAnswer } from '../plan/webhook-answers.ts'
import type { FailpointSignal } from '../preload/journal.ts'
import type { ReaderRun } from './reads.ts'
import type { StatusReads } from './status-reads.ts'
import type { MovementRow, StockHistory } from './stock.ts'

/**
 * Everything that could be observed from outside during a run, and the only input of the checkers.
 * Plain data, so that it can be saved, read by people, and checked again.
 *
 * - **request**: one attempt to place an order, with its result for the client: accepted, refused
 *   or *unknown*.
 * - **record**: one Kafka record, including those of aborted transactions.
 * - **fault**: a disturbance of a process or a connection, with its start and end.
 * - **incarnation**: one process of an instance; a restart is a new incarnation of the same
 *   instance.
 * - **pass**: an incarnation reached a failpoint.
 *
 * Times are milliseconds since the epoch. Offsets are plain numbers, since no run writes 2^53
 * records.
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
  /** Cancels and confirmations of accepted orders. */
  readonly changeRequests: readonly ChangeRequestBody[]
  /** Undecodable records that the verifier wrote to the input topics. */
  readonly poison: readonly PoisonRecord[]
  readonly faults: readonly FaultRun[]
  readonly incarnations: readonly Incarnation[]
  readonly passes: readonly Pass[]
  readonly partitions: readonly PartitionEnd[]
  readonly records: readonly RecordedRecord[]
  /** Absent in histories of earlier versions. */
  readonly reads?: readonly ReaderRun[]
  /**
   * Offsets that our own `read_committed` reader returned after the run, by `topic/partition`. Only in
   * histories of earlier versions.
   */
  readonly committedReads?: Readonly<Record<string, readonly number[]>>
  readonly offsetCommits: readonly OffsetCommit[]
  readonly groups: readonly GroupDescription[]
  readonly tables: Tables
  /** Present only if Kafka Connect ran. */
  readonly audit?: AuditDump
  readonly notifications: readonly NotificationLine[]
  /** Attempts received by the failing webhook endpoint. Absent in histories of earlier versions. */
  readonly webhooks?: Webhooks
  readonly recoveries: readonly Recovery[]
  /** Absent in histories of earlier versions. */
  readonly statusReads?: StatusReads
  /** Absent in histories of earlier versions. */
  readonly stock?: StockHistory
  /** Absent in histories of earlier versions. */
  readonly machine?: readonly MachineSample[]
}

/** Speed of the machine at one time. */
export interface MachineSample {
  readonly atMs: number
  /** Time of fixed work, divided by its time on the reference machine without other load. */
  readonly slowdown: number
}

/** One attempt to place an order. Attempts with the same idempotency key belong to one order. */
export interface OrderRequest extends RequestPlan {
  readonly sentAtMs: number
  readonly endedAtMs: number
  readonly result: /** With the status of the order if the answer waited for it (`Prefer: wait`). */
    | { readonly kind: 'ok'; readonly orderID: string; readonly status?: string }
    /** Permanently refused: the order must never appear anywhere. */
    | { readonly kind: 'failed'; readonly status: number }
    /** No answer, or an answer that leaves the result unknown. */
    | { readonly kind: 'unknown'; readonly reason: string }
}

/** One attempt to cancel or confirm an order, with its result for the client. */
export interface ChangeRequestBody {
  /** Sent as the trace id. */
  readonly id: string
  readonly changeRequest: ChangeKind
  readonly orderID: string
  readonly userID: string
  readonly sentAtMs: number
  readonly endedAtMs: number
  readonly result: /** Answered 202. */
    | { readonly kind: 'asked' }
    /** Answered 200: the change has taken effect. */
    | { readonly kind: 'fulfilled'; readonly status?: string }
    /** Answered 409: the change can no longer take effect. */
    | { readonly kind: 'refused'; readonly code: string }
    | { readonly kind: 'unknown'; readonly reason: string }
}

export interface PoisonRecord {
  readonly id: string
  readonly topic: string
  readonly key: string
  readonly writtenAtMs: number
  readonly acknowledged: boolean
}

export interface FaultRun {
  readonly kind: string
  /**
   * An instance (`inventory-2`), a server (`kafka-1`, `postgres`), or a link (`services>kafka-1`).
   */
  readonly target: string
  readonly detail?: string
  readonly startedAtMs: number
  /** Time at which its cause ended: process restarted or resumed, or link open again. */
  readonly endedAtMs: number
}

export interface Incarnation {
  readonly service: string
  readonly instance: string
  readonly pid: number
  readonly startedAtMs: number
  readonly endedAtMs?: number
  readonly exit?: { readonly code: number | null; readonly signal: string | null }
  /** Time by which another incarnation had replaced this one while it was frozen. */
  readonly replacedAtMs?: number
  /** Time at which it was resumed after that. */
  readonly resumedAtMs?: number
}

export interface Pass {
  readonly pid: number
  readonly atMs: number
  readonly point: string
  /** Signal that the verifier sent to the process at this failpoint. */
  readonly signal?: FailpointSignal
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
  /** Time of the commit marker, if the record was written in a transaction that was committed. */
  readonly committedAtMs?: number
  /** Shortened SHA-256 of the value, to compare the bytes of two records. */
  readonly valueDigest: string | null
  /** Absent if the value could not be decoded. */
  readonly event?: OrderEvent
}

export interface ShortLine {
  readonly sku: string
  readonly requested: number
  readonly available: number
  readonly reason: string
}

/** Union of the fields of all events; the topic determines which are present. */
export interface OrderEvent extends Partial<Pick<OrderCreated, OptionalField>> {
  readonly orderID: string
  readonly userID: string
  readonly items?: readonly Line[]
  readonly totalMinor?: number
  readonly holdUntilMs?: number | null
  readonly shortages?: readonly ShortLine[]
  /** Reason why the order failed. */
  readonly reason?: string
  /** Kind of a change request: cancel, confirm or expire. */
  readonly change?: string
  readonly requestedAtMs?: number
  /** Cause of a release: cancelled or expired. */
  readonly cause?: string
}

/** A committed offset, read from the group coordinator's log, in the order of becoming visible. */
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
  /** Absent in histories of earlier versions. */
  readonly movements?: readonly MovementRow[]
}

export interface AuditDump {
  readonly rows: readonly AuditRow[]
  /** Positions of records that the connector wrote to its separate dead-letter topic. */
  readonly setAside: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[]
}

export interface AuditRow {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly timestampMs: number
  /** Values by column name; timestamps are in milliseconds, JSON is parsed. */
  readonly columns: Readonly<Record<string, unknown>>
}

export interface OutcomeRow {
  readonly orderID: string
  readonly userID: string
  readonly kind: 'reserved' | 'failed'
  /** Number that increases with each decision on any one SKU. */
  readonly sequence: number
  readonly items: readonly Line[] | null
  readonly reason: string | null
  readonly shortages: readonly ShortLine[] | null
  readonly decidedAtMs: number
}

/** A settlement of a reserved order, with the position of the change request that caused it. */
export interface SettlementRow {
  readonly orderID: string
  readonly kind: 'confirmed' | 'released'
  readonly cause: 'cancelled' | 'expired' | null
  /** Drawn from the same sequence as the numbers of outcomes. */
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
  /** Exhausted deliveries of all targets, from `notifications.dlq`. */
  readonly exhausted: readonly Exhausted[]
}

export interface WebhookAttempt {
  /** Value of the header `webhook-id`. */
  readonly id: string
  readonly atMs: number
  readonly answer: WebhookAnswer
  /** True if the webhook was signed with every secret of the endpoint. */
  readonly isSigned: boolean
  readonly bodyDigest: string
  readonly type: string
  readonly orderID: string
  readonly userID: string
}

/** A notification that its target did not accept. */
export interface Exhausted {
  readonly id: string
  readonly target: string
  readonly attempts: number
  readonly code: string
  readonly reason: string
}

/** Time that the pipeline took, after all faults had ended, to process everything then pending. */
export interface Recovery {
  readonly healedAtMs: number
  /** Kinds of the faults that preceded it. */
  readonly kinds: readonly string[]
  /** Extended by the slowdown of the machine during the recovery. */
  readonly boundMs: number
  /** Absent if it had not recovered after three times the bound. */
  readonly tookMs?: number
  /** Description of what was still pending then. */
  readonly missing?: string
}
