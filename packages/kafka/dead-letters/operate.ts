import { setTimeout as delay } from 'node:timers/promises'
import { Cluster } from '../cluster/cluster.ts'
import type { KafkaConnection } from '../connection.ts'
import type { OutputRecord } from '../records.ts'
import { passPoint } from '../stage/points.ts'
import { TransactionalProducer } from '../transaction/transactional-producer.ts'
import { DeadLetterBook, type LetterKey, type ReleaseAnswer } from './book.ts'
import { type DeadLetter, isSourceless } from './letter.ts'
import { type KeyOperation, operationRecords } from './operation.ts'
import { findOriginal, hasOriginal, type OriginalState, replayedOriginal } from './original.ts'
import { cutIntoSteps, type KeyLeftAlone, type OperationPlan } from './plan.ts'
import { createTopicReader } from './reader.ts'

/**
 * Does something with the dead letters of one topic, once.
 *
 * One transactional id for each dead-letter topic: taking it aborts what an operation left open that was killed, and fences one that
 * is still at it; only then the topic is read. What is written with the letters says in the same transaction that it was. So
 * an operation that was interrupted anywhere is simply asked for again, and two at the same time do nothing twice.
 */
export interface DeadLetterOperation {
  /** The dead-letter topic. */
  readonly topic: string
  readonly plan: (keys: readonly LetterKey[]) => OperationPlan
  /** Written along with each step. */
  readonly audit: (step: OperationStep) => OutputRecord
  /**
   * Does what replaying means for letters that came from no topic. Called before the step is committed, so perhaps again after an
   * interruption: it must then find done what is done.
   */
  readonly redeliver?: (letters: readonly DeadLetter[]) => Promise<void>
  /** Letters in a second, at most. */
  readonly ratePerSecond: number
  readonly onStep?: (step: OperationStep) => void
}

export interface OperationStep {
  readonly operations: readonly KeyOperation[]
  /** Keys that no step before this one has dealt with; one with many letters takes several steps. */
  readonly newKeys: number
  readonly replayed: number
  readonly dropped: number
  /** Letters dealt with so far, this step included, and in all. */
  readonly done: number
  readonly total: number
}

export interface OperationResult {
  readonly plan: OperationPlan
  readonly replayed: number
  readonly dropped: number
  /** For each key whose release went out: what its stage said, if it did so in time. */
  readonly answers: readonly { readonly operation: KeyOperation; readonly answer: ReleaseAnswer | undefined }[]
}

const transactionTimeoutMs = 30_000
const stepTimeoutMs = 10_000
const lettersInTransaction = 500
const pollMs = 100

/** What the transactional ids of operations begin with. */
export const operationIDPrefix = 'dead-letters-'

/** @throws KafkaError; whether the step that failed was done is then unknown, and asking again finds out. */
export async function operateOnDeadLetters(
  connection: KafkaConnection,
  operation: DeadLetterOperation,
  { signal, waitMs }: { readonly signal: AbortSignal; readonly waitMs: number }
): Promise<OperationResult> {
  const { topic, ratePerSecond } = operation
  const cluster = new Cluster(connection, { requestTimeoutMs: stepTimeoutMs })
  const producer = new TransactionalProducer(cluster, {
    transactionalID: `${operationIDPrefix}${topic}`,
    transactionTimeoutMs,
    stepTimeoutMs,
    // A record whose batch was compressed may be larger than its topic accepts uncompressed.
    compresses: () => true
  })
  const reader = createTopicReader(connection, [topic])
  const book = new DeadLetterBook()
  const readOn = () => reader.readOn(record => book.add(record), signal)
  try {
    await producer.init()
    await readOn()
    const plan = await leaveMissingAlone(cluster, operation.plan, book.keys())
    const steps = cutIntoSteps(plan.operations, Math.max(1, Math.min(lettersInTransaction, ratePerSecond)))
    const total = sum(plan.operations.map(({ replay, drop }) => replay.length + drop.length))
    const startMs = performance.now()
    const knownKeys = new Set<string>()
    let done = 0
    for (const operations of steps) {
      const dueInMs = startMs + (done / ratePerSecond) * 1_000 - performance.now()
      await delay(Math.max(0, dueInMs), undefined, { signal })
      const replayed = sum(operations.map(({ replay }) => replay.length))
      const dropped = sum(operations.map(({ drop }) => drop.length))
      done += replayed + dropped
      const before = knownKeys.size
      for (const { keyID } of operations) knownKeys.add(keyID)
      const step = { operations, newKeys: knownKeys.size - before, replayed, dropped, done, total }
      const sourceless = operations.flatMap(({ replay }) => replay).filter(isSourceless)
      if (sourceless.length > 0) await operation.redeliver?.(sourceless)
      const originals = await readOriginals(cluster, operations)
      const records = operations.flatMap(one => operationRecords(one, originals))
      await producer.commit([...records, operation.audit(step)])
      passPoint('after-commit')
      operation.onStep?.(step)
    }
    const awaited = plan.operations.filter(({ state }) => state === 'awaiting')
    const answerTo = ({ keyID, name }: KeyOperation) => book.answer(keyID, name)
    const deadlineMs = performance.now() + waitMs
    while (awaited.some(one => answerTo(one) === undefined) && performance.now() < deadlineMs) {
      await delay(pollMs, undefined, { signal })
      await readOn()
    }
    return {
      plan,
      replayed: sum(plan.operations.map(({ replay }) => replay.length)),
      dropped: sum(plan.operations.map(({ drop }) => drop.length)),
      answers: awaited.map(one => ({ operation: one, answer: answerTo(one) }))
    }
  } finally {
    await reader.close()
    await cluster.close()
  }
}

/** Returns what an operation on these dead-letter topics would do at the moment. */
export async function planOperation(
  connection: KafkaConnection,
  topics: readonly string[],
  { plan, signal }: { readonly plan: DeadLetterOperation['plan']; readonly signal: AbortSignal }
): Promise<OperationPlan> {
  const keys = await readDeadLetters(connection, topics, signal)
  const cluster = new Cluster(connection, { requestTimeoutMs: stepTimeoutMs })
  try {
    return await leaveMissingAlone(cluster, plan, keys)
  } finally {
    await cluster.close()
  }
}

/** A key of which one record is missing is left alone as a whole: what follows that record would overtake it. */
async function leaveMissingAlone(
  cluster: Cluster,
  plan: DeadLetterOperation['plan'],
  keys: readonly LetterKey[]
): Promise<OperationPlan> {
  const { operations, leftAlone } = plan(keys)
  const keyOf = new Map(keys.map(key => [key.id, key]))
  const possible: KeyOperation[] = []
  const missing: KeyLeftAlone[] = []
  for (const operation of operations) {
    const key = keyOf.get(operation.keyID)
    const lost = await firstMissing(cluster, operation.replay)
    if (key === undefined || lost === undefined) possible.push(operation)
    else missing.push({ key, why: 'original-missing', missing: lost })
  }
  return { operations: possible, leftAlone: [...leftAlone, ...missing] }
}

async function firstMissing(cluster: Cluster, letters: readonly DeadLetter[]): Promise<KeyLeftAlone['missing']> {
  for (const letter of letters.filter(hasOriginal)) {
    const original = await findOriginal(cluster, letter)
    if (original.state !== 'present') return { letter, original }
  }
  return undefined
}

async function readOriginals(
  cluster: Cluster,
  operations: readonly KeyOperation[]
): Promise<Map<DeadLetter, OutputRecord[]>> {
  const originals = new Map<DeadLetter, OutputRecord[]>()
  for (const { name, replay } of operations) {
    for (const letter of replay.filter(hasOriginal))
      originals.set(letter, await replayedOriginal(cluster, letter, name))
  }
  return originals
}

/** Returns, for each letter that is reduced or stands for a batch, whether its original is still there. */
export async function originalsOf(
  connection: KafkaConnection,
  letters: readonly DeadLetter[]
): Promise<Map<DeadLetter, OriginalState>> {
  const cluster = new Cluster(connection, { requestTimeoutMs: stepTimeoutMs })
  const states = new Map<DeadLetter, OriginalState>()
  try {
    for (const letter of letters.filter(hasOriginal)) states.set(letter, await findOriginal(cluster, letter))
  } finally {
    await cluster.close()
  }
  return states
}

/** What the dead-letter topics say at the moment. */
export async function readDeadLetters(
  connection: KafkaConnection,
  topics: readonly string[],
  signal: AbortSignal
): Promise<LetterKey[]> {
  if (topics.length === 0) return []
  const reader = createTopicReader(connection, topics)
  const book = new DeadLetterBook()
  try {
    await reader.readOn(record => book.add(record), signal)
    return book.keys()
  } finally {
    await reader.close()
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
