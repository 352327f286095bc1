import type { PositionAdvance } from '@orderly/kafka'
import type { Delivery, DeliveryResult } from '../domain/delivery.ts'
import type { Notification } from '../domain/notification.ts'
import type { Recipient } from '../domain/recipients.ts'

/** A notification as read from the topics, with its trace context. */
export interface AcceptedNotification {
  readonly notification: Notification
  readonly traceparent: string
}

export interface TargetAddress {
  readonly target: string
  /** Hash of the target's address, which does not reveal the address. */
  readonly fingerprint: string
}

export interface Accepted {
  /** Deliveries that already existed. */
  readonly duplicates: number
  /** Targets of the new deliveries. */
  readonly targets: ReadonlySet<string>
}

/** Deliveries that an instance has claimed until it stores their results or its lease ends. */
export interface Claim {
  /** The deliveries of one delivery lane are adjacent and in order. */
  readonly deliveries: readonly ClaimedDelivery[]
  /** True if the target is disabled. */
  readonly isDisabled: boolean
  /** True if `maxLanes` delivery lanes were claimed, so that more may be due. */
  readonly isLimited: boolean
  /** Remaining pause that the target requested; nothing is claimed until it ends. */
  readonly pausedMs: number
}

export interface ClaimedDelivery extends Delivery {
  /**
   * Identifies the claim. With a stale claim, an instance can store no result except that a
   * notification was sent.
   */
  readonly claim: string
}

export interface ClaimOptions {
  readonly instanceID: string
  /** Maximum number of delivery lanes. */
  readonly maxLanes: number
  /** Maximum number of deliveries of each delivery lane in one claim. */
  readonly maxPerLane: number
  readonly leaseMs: number
  /**
   * Claims only deliveries that have been due for longer than this, because their target has no
   * delivery loop any more.
   */
  readonly overdueMs?: number
}

export interface AttemptedDelivery {
  readonly delivery: ClaimedDelivery
  readonly result: DeliveryResult
}

/** A delivery lane whose claim ends. */
export interface FreedLane {
  readonly target: string
  readonly caller?: string | undefined
  readonly userID: string
  readonly claim: string
  readonly retryInMs: number
}

export interface TargetBacklog {
  readonly target: string
  /** Number of pending deliveries. */
  readonly deliveries: number
  readonly oldestAgeMs: number
}

/** Stores every delivery and its result. Each method is atomic, including across instances. */
export interface DeliveryStore {
  /**
   * Adds a due delivery for each notification and each of its recipients, in the given order within
   * each delivery lane. A delivery that exists is unchanged. The positions are saved in the same
   * transaction.
   * @throws PositionConflictError, and adds nothing, if a position cannot be saved
   */
  accept(
    notifications: readonly AcceptedNotification[],
    recipients: readonly Recipient[],
    positions?: readonly PositionAdvance[]
  ): Promise<Accepted>
  /**
   * Registers the addresses of targets. If an address has changed, its target is enabled and its
   * pause ends.
   */
  register(targets: readonly TargetAddress[]): Promise<void>
  /**
   * Records that an instance uses these targets. A target counts as removed if it was not recorded
   * for five minutes while others were.
   */
  see(targets: readonly string[]): Promise<void>
  /** Claims due delivery lanes, those that are due longest first. */
  claim(target: string, options: ClaimOptions): Promise<Claim>
  /**
   * Stores the results of attempts and releases delivery lanes.
   * @returns the targets of released lanes that have more deliveries
   */
  saveResults(deliveries: readonly AttemptedDelivery[], lanes: readonly FreedLane[]): Promise<ReadonlySet<string>>
  /** Disables a target, unless its address has changed in the meantime. */
  disable(address: TargetAddress, reason: string): Promise<void>
  /**
   * Pauses a target for all instances and across restarts, unless its address has changed in the
   * meantime.
   */
  pause(address: TargetAddress, pauseMs: number): Promise<void>
  /** Returns the targets that have due delivery lanes. */
  dueTargets(): Promise<readonly string[]>
  /**
   * Makes everything that an earlier run of this instance had claimed due again.
   * @returns the number of delivery lanes
   */
  releaseClaims(instanceID: string): Promise<number>
  /** Returns the number and age of pending deliveries per target. */
  backlog(): Promise<readonly TargetBacklog[]>
  disabled(): Promise<readonly string[]>
  /**
   * Creates delivery lanes for due deliveries that have none, for example after a manual change.
   * @returns their number
   */
  repairLanes(): Promise<number>
  /** Deletes finished deliveries that were accepted longer ago than this. @returns their number */
  prune(olderThanMs: number): Promise<number>
}
