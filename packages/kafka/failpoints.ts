import { channel } from 'node:diagnostics_channel'

/**
 * Failpoints in the life of a batch; a crash between them must make no difference. Tracers, and
 * verifiers that kill the process at a failpoint, subscribe to the diagnostics channel
 * `orderly:stage`. Without a subscriber a failpoint costs one comparison.
 */
export const stageFailpoints = [
  'batch-read',
  'batch-processed',
  'transaction-begun',
  'outputs-written',
  'offsets-written',
  'before-commit',
  'after-commit'
] as const

/** Failpoint of a tick with outputs, before its transaction. */
export const tickFailpoint = 'tick-processed'

/** A failpoint of a stage. */
export type StageFailpoint = (typeof stageFailpoints)[number] | typeof tickFailpoint

/** Name of the diagnostics channel that publishes `{ point }` at each failpoint. */
export const stageChannelName = 'orderly:stage'

const stageChannel = channel(stageChannelName)

export function failpoint(point: StageFailpoint): void {
  if (stageChannel.hasSubscribers) stageChannel.publish({ point })
}
