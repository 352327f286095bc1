import type { PositionAdvance } from '@orderly/kafka'
import type { Delivery, Settlement } from '../domain/delivery.ts'
import type { Notification } from '../domain/notification.ts'
import type { Recipient } from '../domain/recipients.ts'

/** What is to be told, as it comes from the topics. */
export interface AcceptedNotification {
  readonly notification: Notification
  readonly traceparent: string
}

export interface TargetAddress {
  readonly target: string
  /** Stands for where the target leads to, without telling it. */
  readonly fingerprint: string
}

export interface Accepted {
  /** How many deliveries were known already. */
  readonly duplicates: number
  /** The targets of those that were not. */
  readonly targets: ReadonlySet<string>
}

/** Deliveries that an instance has in hand until it settles them, or its lease ends. */
export interface Claim {
  /** The deliveries of one lane follow each other in their order. */
  readonly deliveries: readonly ClaimedDelivery[]
  /** The target wants nothing any more. */
  readonly isSwitchedOff: boolean
  /** There were as many lanes as were wanted, so more may be due. */
  readonly isLimited: boolean
  /** For how long the target has asked to be left alone; nothing is claimed until then. */
  readonly pausedMs: number
}

export interface ClaimedDelivery extends Delivery {
  /** Names the claim: who comes with an old one changes nothing but what was really sent. */
  readonly claim: string
}

export interface ClaimOptions {
  readonly instanceID: string
  /** Lanes at most. */
  readonly maxLanes: number
  /** Deliveries of each of them at most. */
  readonly maxPerLane: number
  readonly leaseMs: number
  /** Only what has been due for longer than this, and so belongs to nobody. */
  readonly overdueMs?: number
}

export interface SettledDelivery {
  readonly delivery: ClaimedDelivery
  readonly settlement: Settlement
}

/** A lane that is given back. */
export interface FreedLane {
  readonly target: string
  readonly caller?: string | undefined
  readonly userID: string
  readonly claim: string
  readonly retryInMs: number
}

export interface TargetBacklog {
  readonly target: string
  /** Deliveries that are not settled yet. */
  readonly deliveries: number
  readonly oldestAgeMs: number
}

/** Remembers every delivery and what became of it. Each method is atomic, also among several instances. */
export interface Ledger {
  /**
  /**
   * Makes a delivery due for each notification and each of its recipients; those of one lane in the order in which they are
   * given. A pair that it has already stays as it is. Saves the positions in the same transaction.
   * @throws PositionConflictError, and adds nothing, when a position cannot be saved
   */
  accept(
    notifications: readonly AcceptedNotification[],
    recipients: readonly Recipient[],
    positions?: readonly PositionAdvance[]
  ): Promise<Accepted>
  /** Registers where the targets lead to. When that has changed, a target is not switched off or paused any more. */
  register(targets: readonly TargetAddress[]): Promise<void>
  /** Notes that an instance has these targets. One that is not noted for five minutes while others are was removed. */
  see(targets: readonly string[]): Promise<void>
  /** Takes lanes that are due in hand, the longest due first. */
  claim(target: string, options: ClaimOptions): Promise<Claim>
  /** Remembers attempts, and gives lanes back. @returns the targets of those lanes that have more to do */
  settle(deliveries: readonly SettledDelivery[], lanes: readonly FreedLane[]): Promise<ReadonlySet<string>>
  /** Nothing is sent to it any more; unless it leads somewhere else by now. */
  switchOff(address: TargetAddress, reason: string): Promise<void>
  /** Leaves the target alone for a while, for all instances and across restarts; unless it leads somewhere else by now. */
  pause(address: TargetAddress, pauseMs: number): Promise<void>
  /** The targets that have lanes which are due. */
  dueTargets(): Promise<readonly string[]>
  /** What an earlier run of this instance had in hand is due again. @returns how many lanes that were */
  releaseClaims(instanceID: string): Promise<number>
  /** Every target that has deliveries waiting. */
  backlog(): Promise<readonly TargetBacklog[]>
  switchedOff(): Promise<readonly string[]>
  /** Makes lanes for due deliveries that have none, as after a change by hand. @returns how many */
  repairLanes(): Promise<number>
  /** Forgets deliveries that are settled and were accepted this long ago. @returns how many */
  prune(olderThanMs: number): Promise<number>
}
