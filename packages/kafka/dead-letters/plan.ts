import type { LetterKey } from './book.ts'
import { type DeadLetter, isSourceless } from './letter.ts'
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
  | 'under-way'
  /** A replay of the key was interrupted and must be finished first. */
  | 'interrupted'
  /** Its dead letters are copies, so there is nothing to replay. */
  | 'copied'
  /** The original of a reduced dead letter is missing or unreadable. */
  | 'original-missing'

export interface OperationPlan {
  readonly operations: readonly KeyOperation[]
  readonly leftAlone: readonly KeyLeftAlone[]
}

export interface KeyLeftAlone {
  readonly key: LetterKey
  readonly why: LeftAlone
  /** Dead letter whose original cannot be replayed, and the state of the original. */
  readonly missing?: { readonly letter: DeadLetter; readonly original: OriginalState }
}

/**
 * Plans a replay of all dead letters of each key, in order, because a single one would overtake
 * those before it. An interrupted replay is resumed under its own name, so that its remaining
 * records fail together with those that have failed.
 */
export function planReplay(keys: readonly LetterKey[], name: string): OperationPlan {
  return plan(keys, key => {
    if (key.underWay?.isOpen === false) return 'under-way'
    if (key.letters.some(({ isCopy }) => isCopy)) return 'copied'
    return { name: key.underWay?.name ?? name, replay: key.letters, drop: [], isLast: true }
  })
}

/**
 * Plans a drop of the chosen dead letters. If the remaining ones only followed them, these are
 * replayed and the key is released. If others failed on their own account, the key stays blocked.
 */
export function planDrop(
  keys: readonly LetterKey[],
  isChosen: (letter: DeadLetter) => boolean,
  name: string
): OperationPlan {
  return plan(keys, key => {
    if (key.underWay !== undefined) return key.underWay.isOpen ? 'interrupted' : 'under-way'
    const drop = key.letters.filter(isChosen)
    const left = key.letters.filter(letter => !isChosen(letter))
    const isLast = left.every(({ code }) => code === followsParked)
    return { name, drop, replay: isLast ? left : [], isLast }
  })
}

const followsParked = 'FOLLOWS_PARKED'

function plan(
  keys: readonly LetterKey[],
  choose: (key: LetterKey) => LeftAlone | (KeyChoice & { readonly name: string; readonly isLast: boolean })
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
    const isAnswered = key.parkedCount > 0 && !key.letters.some(isSourceless)
    const state = isLast && isAnswered ? 'awaiting' : 'done'
    operations.push({ ...own, keyID: key.id, key: key.key, stage: key.stage, parkedCount: key.parkedCount, state })
  }
  return { operations, leftAlone }
}

/** Maximum bytes of values in one transaction, exceeded only by a single dead letter. */
const stepBytes = 64 * 1024 * 1024

/**
 * Divides operations into steps of one transaction each. An operation is split only if its key has
 * too many dead letters or bytes for one transaction.
 */
export function cutIntoSteps(operations: readonly KeyOperation[], maxLetters: number): KeyOperation[][] {
  const steps: KeyOperation[][] = []
  let room = 0
  for (const operation of operations.flatMap(one => cutKey(one, maxLetters))) {
    const weight = sumOfWeights([...operation.replay, ...operation.drop], maxLetters)
    if (weight > room) {
      steps.push([])
      room = maxLetters
    }
    steps.at(-1)?.push(operation)
    room -= weight
  }
  return steps
}

function cutKey(operation: KeyOperation, maxLetters: number): KeyOperation[] {
  const { drop, replay } = operation
  if (sumOfWeights([...drop, ...replay], maxLetters) <= maxLetters) return [operation]
  // Drops precede replays: an interrupted replay is resumed, a drop must be requested again.
  const pieces = [
    ...cutLetters(drop, maxLetters).map(drop => ({ ...operation, drop, replay: [], state: 'done' as const })),
    ...cutLetters(replay, maxLetters).map(replay => ({ ...operation, drop: [], replay, state: 'open' as const }))
  ]
  const last = pieces.pop() as KeyOperation
  return [...pieces, { ...last, state: operation.state }]
}

function cutLetters(letters: readonly DeadLetter[], maxLetters: number): DeadLetter[][] {
  const pieces: DeadLetter[][] = []
  let room = 0
  for (const letter of letters) {
    const weight = weightOf(letter, maxLetters)
    if (weight > room) {
      pieces.push([])
      room = maxLetters
    }
    pieces.at(-1)?.push(letter)
    room -= weight
  }
  return pieces
}

/**
 * Returns the weight of a dead letter: a large one counts as several, and a batch of unknown size
 * takes a whole transaction.
 */
function weightOf({ value, reduced, batch }: DeadLetter, maxLetters: number): number {
  if (batch !== undefined) return maxLetters
  const bytes = value?.length ?? reduced?.valueBytes ?? 0
  return Math.min(maxLetters, Math.max(1, Math.ceil((bytes * maxLetters) / stepBytes)))
}

function sumOfWeights(letters: readonly DeadLetter[], maxLetters: number): number {
  return letters.reduce((sum, letter) => sum + weightOf(letter, maxLetters), 0)
}
