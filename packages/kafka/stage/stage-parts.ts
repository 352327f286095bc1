import { Cluster } from '../cluster/cluster.ts'
import { GroupMember } from '../consumer-group/member.ts'
import { Fetcher } from '../fetch/fetcher.ts'
import { defaultReadLimits } from '../fetch/read-limits.ts'
import { Troubles } from '../fetch/troubles.ts'
import { BatchPipeline } from './batch-pipeline.ts'
import { BlockedKeyIndex } from './blocked-key-index.ts'
import { type Committer, createCommitter } from './committers.ts'
import { GroupPositions } from './group-positions.ts'
import { PartitionOpener } from './open-partitions.ts'
import { createBatchProcessor } from './process-batch.ts'
import type { Stage, StageOptions } from './stage.ts'
import { Ticker } from './ticker.ts'

const defaultSessionTimeoutMs = 10_000
const rebalanceTimeoutMs = 30_000
const requestTimeoutMs = 5_000
const defaultMaxBatchRecords = 2_000

/** The parts of a running stage. */
export interface StageParts {
  readonly clusters: { readonly main: Cluster; readonly group: Cluster; readonly fetch: Cluster }
  readonly troubles: Troubles
  readonly fetcher: Fetcher
  readonly member: GroupMember
  readonly committer: Committer
  readonly blockedKeys: BlockedKeyIndex
  readonly positions: GroupPositions
  readonly opener: PartitionOpener
  readonly pipeline: BatchPipeline
  readonly ticker: Ticker | undefined
}

/** Callbacks and signal that connect the parts to the stage. */
export interface StageHooks extends Pick<BatchPipelineHooks, 'onCommitted' | 'onIdle'> {
  /** Aborts when a stop must not wait any more. */
  readonly forcing: AbortSignal
  readonly onMembershipChange: () => void
  readonly onTransient: (error: unknown) => void
}

type BatchPipelineHooks = ConstructorParameters<typeof BatchPipeline>[0]

/** Creates the parts of a stage and connects them; nothing of them is active yet. */
export function createStageParts<Event>(stage: Stage<Event>, options: StageOptions, hooks: StageHooks): StageParts {
  const { connection, logger, isTransient, positions: store } = options
  const observer = options.observer ?? {}
  const maxBatchRecords = options.maxBatchRecords ?? defaultMaxBatchRecords
  const topics = stage.inputs.map(topic => topic.name)
  const clusters = {
    main: new Cluster(connection, { requestTimeoutMs }),
    group: new Cluster(connection, { requestTimeoutMs: rebalanceTimeoutMs + requestTimeoutMs }),
    fetch: new Cluster(connection, { requestTimeoutMs })
  }
  const troubles = new Troubles({ logger, onCount: event => observer.unavailable?.({ stage: stage.name, ...event }) })
  const fetcher = new Fetcher(clusters.fetch, {
    maxBufferedRecords: maxBatchRecords * 2,
    ...(options.maxBufferedBytes && { maxBufferedBytes: options.maxBufferedBytes }),
    limits: { ...defaultReadLimits, ...options.limits },
    ...(options.fetchPace && { pace: options.fetchPace }),
    logger,
    troubles
  })
  const member = new GroupMember(clusters.group, {
    groupID: stage.group,
    instanceID: options.instanceID ?? null,
    topics,
    metadata: clusters.main,
    sessionTimeoutMs: options.sessionTimeoutMs ?? defaultSessionTimeoutMs,
    rebalanceTimeoutMs,
    findsNewTopics: options.startAt === 'latest',
    logger,
    onChange: hooks.onMembershipChange,
    onPartitionsAdded: event => observer.partitionsAdded?.({ stage: stage.name, ...event })
  })
  const committer = createCommitter(options, clusters.main, hooks.forcing)
  const positions = new GroupPositions({
    ...{ stageName: stage.name, cluster: clusters.main, isTransient, logger, observer },
    ...(store && { positions: store }),
    ...(options.startAt && { startAt: options.startAt }),
    identity: () => member.identity,
    newTopics: () => member.newTopics,
    onReplaced: partitions => processor.forget(partitions)
  })
  const processor = createBatchProcessor(stage, {
    ...{ isTransient, logger, observer, onTransient: hooks.onTransient },
    ...(store && { positions })
  })
  const blockedKeys = new BlockedKeyIndex(clusters.main, stage.name, logger)
  const opener = new PartitionOpener({ blockedKeys, fetcher, positions, processor, troubles })
  const ticker = stage.tick && new Ticker(stage.tick, () => fetcher.wake())
  const pipeline = new BatchPipeline({
    ...{ stageName: stage.name, topics, cluster: clusters.fetch, logger, observer },
    ...{ committer, fetcher, positions, processor, ticker, recordsInACall: stage.recordsInACall },
    ...{ maxBatchRecords, maxBatchBytes: options.maxBatchBytes },
    ...{ onCommitted: hooks.onCommitted, onIdle: hooks.onIdle }
  })
  return { clusters, troubles, fetcher, member, committer, blockedKeys, positions, opener, pipeline, ticker }
}
