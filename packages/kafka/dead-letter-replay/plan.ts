import { type DeadLetter, isSourceless } from './dead-letter.ts'
import type { DeadLetterKey } from './dead-letter-index.ts'
import type { KeyOperation } from './operation.ts'
import type { OriginalState } from './original.ts'

/** Dead letters of one key to replay and to drop. */
export interface KeyChoice {
  readonly replay: readonly DeadLetter[]
  readonly drop: readonly DeadLetter[]
}

/** Reason why a requested key is left alone. */
export type LeftAlone =
  /** The stage has not answered the last release yet. */
  | 'in-flight'
  /** A replay of the key was interrupted and must be finished first. */
  | 'interrupted'
  /** The dead letters of the key are copies, so there is nothing to replay. */
  | 'copied'
  /** The original of a reduced dead letter is missing or unreadable. */
  | 'original-missing'

/** Steps of an operation for each key, and the keys that it does not change. */
export interface OperationPlan {
  readonly operations: readonly KeyOperation[]
  readonly leftAlone: readonly KeyLeftAlone[]
}

/** Key that an operation does not change, with the reason. */
export interface KeyLeftAlone {
  readonly key: DeadLetterKey
  readonly why: LeftAlone
  /** Dead letter whose original cannot be replayed, and the state of the original. */
  readonly missing?: { readonly deadLetter: DeadLetter; readonly original: OriginalState }
}

/**
 * Plans a replay of all dead letters of each key, in order, because a single one would overtake
 * those before it. An interrupted replay is resumed under the name that it started with: if one of
 * its records has become a dead letter again, the remaining ones do so as well, which keeps their
 * order.
 */
export function planReplay(keys: readonly DeadLetterKey[], name: string): OperationPlan {
  return plan(keys, key => {
    if (key.inFlight?.isOpen === false) return 'in-flight'
    if (key.deadLetters.some(({ isCopy }) => isCopy)) return 'copied'
    return { name: key.inFlight?.name ?? name, replay: key.deadLetters, drop: [], isLast: true }
  })
}

/**
 * Plans a drop of the chosen dead letters. If the remaining ones only followed them, these are
 * replayed and the key is released. If others failed on their own account, the key stays blocked.
 */
export function planDrop(
  keys: readonly DeadLetterKey[],
  isChosen: (deadLetter: DeadLetter) => boolean,
  name: string
): OperationPlan {
  return plan(keys, key => {
    if (key.inFlight !== undefined) return key.inFlight.isOpen ? 'interrupted' : 'in-flight'
    const drop = key.deadLetters.filter(isChosen)
    const left = key.deadLetters.filter(deadLetter => !isChosen(deadLetter))
    const isLast = left.every(({ code }) => code === followsBlocked)
    return { name, drop, replay: isLast ? left : [], isLast }
  })
}

const followsBlocked = 'KEY_BLOCKED'

function plan(
  keys: readonly DeadLetterKey[],
  choose: (key: DeadLetterKey) => LeftAlone | (KeyChoice & { readonly name: string; readonly isLast: boolean })
): OperationPlan {
  const operations: KeyOperation[] = []
  const leftAlone: KeyLeftAlone[] = []
  for (const key of keys) {
    const choice = choose(key)
    if (typeof choice === 'string') {
      leftAlone.push({ key, why: choice })
      continue
    }
    const { isLast, ...own } = choice
    if (own.replay.length + own.drop.length === 0) continue
    const isAnswered = key.blockingCount > 0 && !key.deadLetters.some(isSourceless)
    const state = isLast && isAnswered ? 'awaiting' : 'done'
    operations.push({ ...own, keyID: key.id, key: key.key, stage: key.stage, blockingCount: key.blockingCount, state })
  }
  return { operations, leftAlone }
}

/** Maximum bytes of values in one transaction, exceeded only by a single dead letter. */
const stepBytes = 64 * 1024 * 1024

/**
 * Divides operations into steps of one transaction each. An operation is split only if its key has
 * too many dead letters or bytes for one transaction.
 */
export function cutIntoSteps(operations: readonly KeyOperation[], maxDeadLetters: number): KeyOperation[][] {
  const steps: KeyOperation[][] = []
  let room = 0
  for (const operation of operations.flatMap(one => cutKey(one, maxDeadLetters))) {
    const weight = sumOfWeights([...operation.replay, ...operation.drop], maxDeadLetters)
    if (weight > room) {
      steps.push([])
      room = maxDeadLetters
    }
    steps.at(-1)?.push(operation)
    room -= weight
  }
  return steps
}

function cutKey(operation: KeyOperation, maxDeadLetters: number): KeyOperation[] {
  const { drop, replay } = operation
  if (sumOfWeights([...drop, ...replay], maxDeadLetters) <= maxDeadLetters) return [operation]
  // Drops precede replays: an interrupted replay is resumed, a drop must be requested again.
  const pieces = [
    ...cutDeadLetters(drop, maxDeadLetters).map(drop => ({ ...operation, drop, replay: [], state: 'done' as const })),
    ...cutDeadLetters(replay, maxDeadLetters).map(replay => ({
      ...operation,
      drop: [],
      replay,
      state: 'open' as const
    }))
  ]
  const last = pieces.pop() as KeyOperation
  return [...pieces, { ...last, state: operation.state }]
}

function cutDeadLetters(deadLetters: readonly DeadLetter[], maxDeadLetters: number): DeadLetter[][] {
  const pieces: DeadLetter[][] = []
  let room = 0
  for (const deadLetter of deadLetters) {
    const weight = weightOf(deadLetter, maxDeadLetters)
    if (weight > room) {
      pieces.push([])
      room = maxDeadLetters
    }
    pieces.at(-1)?.push(deadLetter)
    room -= weight
  }
  return pieces
}

/**
 * Returns the weight of a dead letter: a large one counts as several, and a batch of unknown size
 * takes a whole transaction.
 */
function weightOf({ value, reduced, batch }: DeadLetter, maxDeadLetters: number): number {
  if (batch !== undefined) return maxDeadLetters
  const bytes = value?.length ?? reduced?.valueBytes ?? 0
  return Math.min(maxDeadLetters, Math.max(1, Math.ceil((bytes * maxDeadLetters) / stepBytes)))
}

function sumOfWeights(deadLetters: readonly DeadLetter[], maxDeadLetters: number): number {
  return deadLetters.reduce((sum, deadLetter) => sum + weightOf(deadLetter, maxDeadLetters), 0)
}
