import type { CommittedOffset } from '../consumer-group/committed-offsets.ts'
import type { PartitionsAdded } from '../consumer-group/member.ts'
import type { InputOffset } from '../consumer-group/offset-entry.ts'
import { BlockedKeys } from '../dead-letters/blocked-keys.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import { KafkaError } from '../errors.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import { recordRefusals } from '../producer/produce.ts'
import type { OutputRecord } from '../records.ts'
import { BatchSummary } from '../stage/batch-summary.ts'
import { assertValidStage, assertValidStageOptions } from '../stage/check-options.ts'
import { PositionTracker } from '../stage/position-tracker.ts'
import { createBatchProcessor } from '../stage/process-batch.ts'
import { refusalOf } from '../stage/refuse-start.ts'
import type { RunningStage, Stage, StageOptions } from '../stage/stage.ts'
import { HealthRecord, type StageState } from '../stage/stage-health.ts'
import { isAdded, policyFor } from '../stage/start-at.ts'
import { startOf } from '../stage/starting-positions.ts'
import { Ticker } from '../stage/ticker.ts'

/** Options that the in-memory broker supports; those about connections and memory have no effect in it. */
export type InMemoryStageOptions = Pick<
  StageOptions,
  | 'isTransient'
  | 'logger'
  | 'observer'
  | 'maxBatchRecords'
  | 'positions'
  | 'startAt'
  | 'signal'
  | 'compression'
  | 'limits'
  | 'maxBatchBytes'
  | 'maxBufferedBytes'
>

/** State shared by the stages of an in-memory broker. */
export interface InMemoryState {
  /** Committed offsets, by group, topic and partition. */
  readonly committed: Map<string, CommittedOffset>
  readonly wakeUps: Set<() => void>
  readonly onPartitionsAdded: Set<(event: PartitionsAdded) => void>
  /** Returns the partitions of a topic. */
  log(topic: string): FetchedRecord[][]
  topicIDOf(topic: string): string
  /** Returns the first offset that is still in a log. */
  beginningOf(topic: string, partition: number): number
  committedAt(group: string, topic: string, partition: number): number
  append(records: readonly OutputRecord[]): void
  /** Returns the failure that the next commit must have. */
  takeCommitFailure(): Error | undefined
}

const isRefusal = (error: unknown) => error instanceof KafkaError && recordRefusals.has(error.code)

/** Runs a stage in an in-memory broker. */
export function runInMemoryStage<Event>(
  broker: InMemoryState,
  stage: Stage<Event>,
  stageOptions: InMemoryStageOptions
): RunningStage {
  const { committed, wakeUps, onPartitionsAdded, log, topicIDOf, beginningOf, committedAt, append } = broker
  assertValidStage(stage)
  assertValidStageOptions(stageOptions)
  const { isTransient, logger, observer = {}, maxBatchRecords = 2_000, positions: store } = stageOptions
  const { startAt = 'earliest', signal } = stageOptions
  const { recordsInACall = maxBatchRecords } = stage
  const positions = new PositionTracker()
  const health = new HealthRecord()
  const processor = createBatchProcessor(stage, {
    ...{ isTransient, logger, observer, onTransient: error => health.failed(error) },
    ...(store && { positions })
  })
  let batchRecords = Math.min(maxBatchRecords, recordsInACall)
  const [stopping, forcing] = [new AbortController(), new AbortController()]
  let state: StageState = 'starting'
  let isPaused = false
  let waitingForIdle: (() => void)[] = []
  let wake = () => {}
  const wakeThis = () => wake()
  wakeUps.add(wakeThis)
  let mustBegin = false
  const reportAdded = (event: PartitionsAdded) => {
    if (!stage.inputs.some(({ name }) => name === event.topic)) return
    observer.partitionsAdded?.({ stage: stage.name, ...event })
    mustBegin = true
    wake()
  }
  onPartitionsAdded.add(reportAdded)

  const begin = async (): Promise<void> => {
    const stored = (await store?.load()) ?? []
    const ofGroup = [...committed].filter(([key]) => key.startsWith(`${stage.group} `)).map(([, own]) => own)
    const newTopics = stage.inputs.map(({ name }) => name).filter(name => !ofGroup.some(own => own.topic === name))
    const starts = stage.inputs.flatMap(({ name: topic }) =>
      log(topic).map((records, partition) =>
        startOf({
          ...{ topic, partition, topicID: topicIDOf(topic), formerTopicID: undefined, epochEnd: undefined },
          committed: committed.get(`${stage.group} ${topic}/${partition}`),
          log: { beginning: BigInt(beginningOf(topic, partition)), end: BigInt(records.length) },
          startAt: policyFor({ topic, partition }, startAt, newTopics, ofGroup),
          store: store && {
            whenBehind: store.whenBehind,
            stored: stored.find(own => own.topic === topic && own.partition === partition),
            isAdded: isAdded({ topic, partition }, stored)
          }
        })
      )
    )
    const refused = starts.filter(({ refusal }) => refusal !== undefined)
    const changes = refused.length > 0 ? [] : starts.flatMap(({ change }) => change ?? [])
    const incidents = starts.flatMap(({ incident }) => incident ?? [])
    await store?.replace(changes, incidents)
    if (refused.length > 0) throw refusalOf(stage.group, refused, store)
    for (const start of starts.filter(({ mustCommit }) => mustCommit)) commit(start)
    positions.reset(starts)
    const blockedKeys = new Map(stage.inputs.map(({ name }) => [name, new BlockedKeys(stage.name)]))
    for (const [name, deadLettered] of blockedKeys)
      for (const record of log(deadLetterTopic(name)).flat()) deadLettered.remember(record)
    processor.reset(blockedKeys)
  }

  const commit = ({ topic, partition, topicID, offset, leaderEpoch = -1 }: InputOffset): void => {
    committed.set(`${stage.group} ${topic}/${partition}`, { topic, partition, topicID, offset, leaderEpoch })
  }

  const passSkips = async (): Promise<void> => {
    for (const { name: topic } of stage.inputs) {
      for (const partition of log(topic).keys()) {
        const [from, to] = [committedAt(stage.group, topic, partition), beginningOf(topic, partition)]
        if (from >= to) continue
        const range = { topic, partition, fromOffset: BigInt(from), toOffset: BigInt(to) }
        const offset = { topic, partition, topicID: topicIDOf(topic), offset: BigInt(to) }
        await store?.replace([], [{ kind: 'offsets_skipped', ...range }])
        await store?.advance(positions.upTo([offset]))
        commit(offset)
        observer.skipped?.({ stage: stage.name, topic, partition, from: range.fromOffset, to: range.toOffset })
      }
    }
  }

  const take = (): FetchedRecord[] => {
    const waiting = stage.inputs.flatMap(({ name }) =>
      log(name).flatMap((records, partition) => records.slice(committedAt(stage.group, name, partition)))
    )
    return waiting.slice(0, batchRecords)
  }

  /**
   * Finds the record whose output is rejected: each record is processed again alone, and that one
   * becomes a dead letter.
   */
  const narrowDown = (batch: readonly FetchedRecord[], error: unknown): void => {
    if (!isRefusal(error)) return
    const [first] = batch
    if (batch.length > 1 || first === undefined) batchRecords = 1
    else processor.markPoison(first, error)
  }

  const ticker = stage.tick && new Ticker(stage.tick, wakeThis)
  const tick = async (due: Ticker): Promise<void> => {
    const partitions = stage.inputs.flatMap(({ name }) =>
      log(name).map((records, partition) => {
        const offset = committedAt(stage.group, name, partition)
        const completeUntilMs = offset === records.length ? { completeUntilMs: Date.now() } : {}
        return { topic: name, partition, offset: BigInt(offset), ...completeUntilMs }
      })
    )
    const partitionCounts = new Map(stage.inputs.map(({ name }) => [name, log(name).length]))
    const onFailure = (error: unknown) => observer.retried?.({ error })
    const outputs = await due.run({ partitions, partitionCounts, signal: stopping.signal }, onFailure)
    if (outputs.length === 0) return
    append(outputs)
    await due.committed(onFailure)
    observer.ticked?.({ outputs: outputs.length, durationMs: 0 })
  }

  const run = async (): Promise<void> => {
    try {
      while (!stopping.signal.aborted) {
        mustBegin = false
        await begin()
        state = 'working'
        try {
          await work()
        } catch (error) {
          if (stopping.signal.aborted || !(error instanceof KafkaError)) throw error
          if (!error.retryable && !isRefusal(error)) throw error
          state = 'recovering'
          health.failed(error)
          observer.aborted?.({ reason: error.code })
        }
      }
      health.ended('stopped')
    } catch (error) {
      if (!stopping.signal.aborted) {
        health.failed(error)
        health.ended('failed')
        throw error
      }
      health.ended('stopped')
    } finally {
      state = 'stopped'
      becomeIdle()
      ticker?.stop()
      wakeUps.delete(wakeThis)
      onPartitionsAdded.delete(reportAdded)
    }
  }

  const becomeIdle = (): void => {
    for (const resolve of waitingForIdle) resolve()
    waitingForIdle = []
  }

  const untilWoken = () =>
    new Promise<void>(resolve => {
      wake = resolve
    })

  const work = async (): Promise<void> => {
    while (!stopping.signal.aborted && !mustBegin) {
      if (isPaused) {
        becomeIdle()
        await untilWoken()
        continue
      }
      if (ticker?.isDue === true) await tick(ticker)
      await passSkips()
      const batch = take()
      if (batch.length === 0) {
        if (ticker?.isDue === true || stopping.signal.aborted || mustBegin || isPaused) continue
        health.progressed()
        await untilWoken()
        continue
      }
      const outputs: OutputRecord[] = []
      const sink = {
        add: async (more: readonly OutputRecord[]) => {
          outputs.push(...more)
        }
      }
      await processor.process(batch, sink, stopping.signal)
      forcing.signal.throwIfAborted() // the stage has ended without this batch
      observer.processed?.({ records: batch.length, durationMs: 0 })
      const summary = new BatchSummary(batch[0] as FetchedRecord)
      summary.add(batch)
      const rest = positions.upTo(summary.offsets)
      if (rest.length > 0) await store?.advance(rest)
      positions.saved(rest)
      const failure = broker.takeCommitFailure()
      if (failure !== undefined) throw failure
      try {
        append(outputs)
      } catch (error) {
        narrowDown(batch, error)
        throw error
      }
      batchRecords = Math.min(maxBatchRecords, recordsInACall, batchRecords * 2)
      for (const offset of summary.offsets) commit(offset)
      positions.committed(summary.offsets)
      health.progressed()
      observer.committed?.({
        records: batch.length,
        outputs: outputs.length,
        durationMs: 0,
        timestampsMs: summary.timestampsMs
      })
    }
  }

  const partitionsOf = () =>
    stage.inputs.flatMap(({ name: topic }) =>
      log(topic).map((records, partition) => {
        return { topic, partition, lag: records.length - committedAt(stage.group, topic, partition) }
      })
    )
  const stop = (force = false): void => {
    state = 'stopping'
    stopping.abort(new KafkaError('CLOSED', 'the stage is stopping', { retryable: false }))
    if (force) {
      forcing.abort(new KafkaError('CLOSED', 'the stage was stopped by force', { retryable: false }))
      health.ended('stopped')
    }
    wake()
  }
  const onAbort = () => stop()
  signal?.addEventListener('abort', onAbort)
  if (signal?.aborted) stop()
  const forced = new Promise<void>(resolve => forcing.signal.addEventListener('abort', () => resolve()))
  const finished = Promise.race([run(), forced]).finally(() => signal?.removeEventListener('abort', onAbort))
  finished.catch(() => {})
  return {
    finished,
    isReady: () => !stopping.signal.aborted,
    health: () => health.of(state === 'working' && isPaused ? 'paused' : state, partitionsOf()),
    async pause() {
      isPaused = true
      wake()
      if (state === 'working') await new Promise<void>(resolve => waitingForIdle.push(resolve))
    },
    resume() {
      isPaused = false
      becomeIdle()
      wake()
    },
    async stop({ force = false } = {}) {
      stop(force)
      await finished.catch(() => {})
    }
  }
}
