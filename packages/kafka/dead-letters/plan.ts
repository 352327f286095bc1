import type { LetterKey } from './book.ts'
import { type DeadLetter, isSourceless } from './letter.ts'
import type { KeyOperation } from './operation.ts'

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

export interface OperationPlan {
  readonly operations: readonly KeyOperation[]
  readonly leftAlone: readonly { readonly key: LetterKey; readonly why: LeftAlone }[]
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
  const leftAlone: { key: LetterKey; why: LeftAlone }[] = []
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

/** One transaction's worth each: operations whole where they fit, cut where one key has more letters than that. */
export function cutIntoSteps(operations: readonly KeyOperation[], maxLetters: number): KeyOperation[][] {
  const steps: KeyOperation[][] = []
  let room = 0
  for (const operation of operations.flatMap(one => cutKey(one, maxLetters))) {
    const letters = operation.replay.length + operation.drop.length
    if (letters > room) {
      steps.push([])
      room = maxLetters
    }
    steps.at(-1)?.push(operation)
    room -= letters
  }
  return steps
}

function cutKey(operation: KeyOperation, maxLetters: number): KeyOperation[] {
  const { drop, replay } = operation
  if (drop.length + replay.length <= maxLetters) return [operation]
  const pieces: KeyOperation[] = []
  // What is dropped first: a replay that was begun is gone on with, a drop is asked for again.
  for (let start = 0; start < drop.length; start += maxLetters) {
    pieces.push({ ...operation, drop: drop.slice(start, start + maxLetters), replay: [], state: 'done' })
  }
  for (let start = 0; start < replay.length; start += maxLetters) {
    pieces.push({ ...operation, drop: [], replay: replay.slice(start, start + maxLetters), state: 'open' })
  }
  const last = pieces.pop() as KeyOperation
  return [...pieces, { ...last, state: operation.state }]
}
