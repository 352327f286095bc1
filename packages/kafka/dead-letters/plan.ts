import type { LetterKey } from './book.ts'
import { type DeadLetter, isSourceless } from './letter.ts'
import type { KeyOperation } from './operation.ts'
import type { OriginalState } from './original.ts'

/** What is to be done with the letters of one key. */
export interface KeyChoice {
  readonly replay: readonly DeadLetter[]
  readonly drop: readonly DeadLetter[]
}

/** Why a key that was asked for is left alone. */
export type LeftAlone =
  /** Its stage has not answered the last release yet. */
  | 'under-way'
  /** A replay of it was interrupted, and has to be finished first. */
  | 'interrupted'
  /** There is nothing to replay: whoever parked it only copied it. */
  | 'copied'
  /** A letter of it is reduced, and its record is not at its position any more, or cannot be read. */
  | 'original-missing'

export interface OperationPlan {
  readonly operations: readonly KeyOperation[]
  readonly leftAlone: readonly KeyLeftAlone[]
}

export interface KeyLeftAlone {
  readonly key: LetterKey
  readonly why: LeftAlone
  /** Why the record of which letter cannot be replayed. */
  readonly missing?: { readonly letter: DeadLetter; readonly original: OriginalState }
}

/**
 * All letters of each key, in their order: one alone would overtake those before it. An interrupted replay is gone on with under
 * its own name, so that what follows in it fails with what has failed.
 */
export function planReplay(keys: readonly LetterKey[], name: string): OperationPlan {
  return plan(keys, key => {
    if (key.underWay?.isOpen === false) return 'under-way'
    if (key.letters.some(({ isCopy }) => isCopy)) return 'copied'
    return { name: key.underWay?.name ?? name, replay: key.letters, drop: [], isLast: true }
  })
}

/**
 * Drops the letters that are chosen. What was parked only because it followed them is replayed, and the key is released; where
 * letters are left that failed by themselves, the key stays parked.
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

/** Bytes of values in one transaction, at most, but for one letter. */
const stepBytes = 64 * 1024 * 1024

/** One transaction's worth each: operations whole where they fit, cut where one key has more letters or bytes than that. */
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
  // Drops precede replays: an interrupted replay continues, a drop is asked for again.
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

/** A large letter counts as several; one that stands for a batch takes a whole transaction, as its size is unknown. */
function weightOf({ value, reduced, batch }: DeadLetter, maxLetters: number): number {
  if (batch !== undefined) return maxLetters
  const bytes = value?.length ?? reduced?.valueBytes ?? 0
  return Math.min(maxLetters, Math.max(1, Math.ceil((bytes * maxLetters) / stepBytes)))
}

function sumOfWeights(letters: readonly DeadLetter[], maxLetters: number): number {
  return letters.reduce((sum, letter) => sum + weightOf(letter, maxLetters), 0)
}
