import { subscribe } from 'node:diagnostics_channel'
import type { KafkaConnection } from '../connection.ts'
import { type StageFailpoint, stageChannelName } from '../failpoints.ts'
import { runStage } from '../stage/run-stage.ts'
import { textCodec } from './text-codec.ts'

/**
 * Settings of a process that runs one stage, which copies its input; tests kill, freeze and fence
 * it. The process notifies its parent when it has joined, and exits with 70 when it was fenced.
 */
export interface EchoStageSettings {
  readonly connection: KafkaConnection
  readonly input: string
  readonly output: string
  readonly transactionalID: string
  readonly instanceID: string
  readonly maxBatchRecords: number
  /** Kills the process with SIGKILL on the `pass`th pass of this failpoint. */
  readonly killAt?: { readonly point: StageFailpoint; readonly pass: number }
  /**
   * Text that every tick writes. With `freezesFirst`, the first tick freezes the process before it
   * writes.
   */
  readonly tick?: { readonly text: string; readonly freezesFirst?: boolean }
}

const settings: EchoStageSettings = JSON.parse(process.env.ECHO_STAGE ?? '{}')
const { connection, input, output, transactionalID, instanceID, maxBatchRecords, killAt, tick } = settings

if (killAt !== undefined) {
  let passes = 0
  subscribe(stageChannelName, message => {
    if ((message as { point: StageFailpoint }).point === killAt.point && ++passes === killAt.pass)
      process.kill(process.pid, 'SIGKILL')
  })
}

let ticks = 0
const ticking = tick && {
  everyMs: 50,
  run: async () => {
    const text = ticks++ === 0 ? `first ${tick.text}` : tick.text
    if (ticks === 1 && tick.freezesFirst === true) process.kill(process.pid, 'SIGSTOP')
    return [{ topic: output, key: 'tick', value: Buffer.from(text), headers: {} }]
  }
}

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const stage = runStage(
  {
    name: 'echo',
    group: `group-${input}`,
    inputs: [{ name: input, eventType: 'Text', codec: textCodec }],
    process: async records =>
      records.map(({ key, event }) => ({ topic: output, key, value: Buffer.from(event), headers: {} })),
    ...(ticking && { tick: ticking })
  },
  {
    connection,
    transactionalID,
    instanceID,
    maxBatchRecords,
    sessionTimeoutMs: 6_000,
    isTransient: () => false,
    logger: silent,
    observer: { assigned: ({ partitions }) => process.send?.({ type: 'assigned', partitions }) }
  }
)
process.once('SIGTERM', () => void stage.stop().then(() => process.exit(0)))
process.once('disconnect', () => process.exit(1))
stage.finished.catch(error => process.exit(error.code === 'FENCED' ? 70 : 1))
