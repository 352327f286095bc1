import { setTimeout as delay } from 'node:timers/promises'
import { Cluster } from '../cluster/cluster.ts'
import type { KafkaConnection } from '../connection.ts'
import { failpoint } from '../failpoints.ts'
import type { OutputRecord } from '../records.ts'
import { TransactionalProducer } from '../transaction/transactional-producer.ts'
import { type DeadLetter, isSourceless } from './dead-letter.ts'
import { DeadLetterIndex, type DeadLetterKey, type ReleaseAnswer } from './dead-letter-index.ts'
import { type KeyOperation, operationRecords } from './operation.ts'
import { findOriginal, hasOriginal, type OriginalState, replayedOriginal } from './original.ts'
import { cutIntoSteps, type KeyLeftAlone, type OperationPlan } from './plan.ts'
import { createTopicReader } from './reader.ts'

/**
 * A replay or drop of dead letters of one topic, executed exactly once.
 *
 * Each dead-letter topic has one transactional id. Acquiring it aborts the open transaction of a
 * killed operation and fences a running one; only then is the topic read. Marks that record what
 * was replayed or dropped are written in the same transaction. An operation interrupted at any
 * point can therefore be requested again, and two concurrent ones repeat nothing.
 */
export interface DeadLetterOperation {
  /** Name of the dead-letter topic. */
  readonly topic: string
  readonly plan: (keys: readonly DeadLetterKey[]) => OperationPlan
  /** Returns the audit record to write with each step. */
  readonly audit: (step: OperationStep) => OutputRecord
  /**
   * Replays dead letters that did not originate from a topic. Called before the step is committed,
   * so it may be called again after an interruption and must be idempotent.
   */
  readonly redeliver?: (deadLetters: readonly DeadLetter[]) => Promise<void>
  /** Maximum number of dead letters per second. */
  readonly ratePerSecond: number
  readonly onStep?: (step: OperationStep) => void
}

/** Part of an operation that is one transaction. */
export interface OperationStep {
  readonly operations: readonly KeyOperation[]
  /**
   * Number of keys in this step that no earlier step contained; a key with many dead letters takes
   * several steps.
   */
  readonly newKeys: number
  readonly replayed: number
  readonly dropped: number
  /** Number of dead letters handled up to and including this step, and in total. */
  readonly done: number
  readonly total: number
}

/** Result of an operation. */
export interface OperationResult {
  readonly plan: OperationPlan
  readonly replayed: number
  readonly dropped: number
  /** Answers of the stages to releases; undefined for an answer that did not arrive in time. */
  readonly answers: readonly { readonly operation: KeyOperation; readonly answer: ReleaseAnswer | undefined }[]
}

const transactionTimeoutMs = 30_000
const stepTimeoutMs = 10_000
const deadLettersInTransaction = 500
const pollMs = 100

/** Prefix of the transactional ids of operations. */
export const operationIDPrefix = 'dead-letters-'

/**
 * Executes an operation. @throws KafkaError; the outcome of the failed step is then unknown, and a
 * repeated call determines it
 */
export async function executeOnDeadLetters(
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
    // Compressed, because a record from a compressed batch may exceed the limit of its topic
    // uncompressed.
    compression: 'gzip'
  })
  const reader = createTopicReader(connection, [topic])
  const book = new DeadLetterIndex()
  const readOn = () => reader.readOn(record => book.add(record), signal)
  try {
    await producer.init()
    await readOn()
    const plan = await leaveMissingAlone(cluster, operation.plan, book.keys())
    const steps = cutIntoSteps(plan.operations, Math.max(1, Math.min(deadLettersInTransaction, ratePerSecond)))
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
      failpoint('after-commit')
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

/** Returns the plan of an operation on these dead-letter topics, without executing it. */
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

/**
 * Moves keys with a missing original to `leftAlone`. The whole key is left alone, because later
 * records would overtake the missing one.
 */
async function leaveMissingAlone(
  cluster: Cluster,
  plan: DeadLetterOperation['plan'],
  keys: readonly DeadLetterKey[]
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

async function firstMissing(cluster: Cluster, deadLetters: readonly DeadLetter[]): Promise<KeyLeftAlone['missing']> {
  for (const deadLetter of deadLetters.filter(hasOriginal)) {
    const original = await findOriginal(cluster, deadLetter)
    if (original.state !== 'present') return { deadLetter, original }
  }
  return undefined
}

async function readOriginals(
  cluster: Cluster,
  operations: readonly KeyOperation[]
): Promise<Map<DeadLetter, OutputRecord[]>> {
  const originals = new Map<DeadLetter, OutputRecord[]>()
  for (const { name, replay } of operations) {
    for (const deadLetter of replay.filter(hasOriginal))
      originals.set(deadLetter, await replayedOriginal(cluster, deadLetter, name))
  }
  return originals
}

/**
 * Returns, for each dead letter that is reduced or represents a batch, the state of its original.
 */
export async function originalsOf(
  connection: KafkaConnection,
  deadLetters: readonly DeadLetter[]
): Promise<Map<DeadLetter, OriginalState>> {
  const cluster = new Cluster(connection, { requestTimeoutMs: stepTimeoutMs })
  const states = new Map<DeadLetter, OriginalState>()
  try {
    for (const deadLetter of deadLetters.filter(hasOriginal))
      states.set(deadLetter, await findOriginal(cluster, deadLetter))
  } finally {
    await cluster.close()
  }
  return states
}

/** Returns the keys with dead letters in these topics. */
export async function readDeadLetters(
  connection: KafkaConnection,
  topics: readonly string[],
  signal: AbortSignal
): Promise<DeadLetterKey[]> {
  if (topics.length === 0) return []
  const reader = createTopicReader(connection, topics)
  const book = new DeadLetterIndex()
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
