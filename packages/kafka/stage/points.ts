import { channel } from 'node:diagnostics_channel'

/**
 * The moments of a batch between which a crash must make no difference. Whoever wants to know when they pass (a tracer, or a
 * verifier that kills the process just then) subscribes to the diagnostics channel `orderly:stage`; without a subscriber
 * a point costs one comparison.
 */
export const stagePoints = [
  'batch-read',
  'batch-processed',
  'transaction-begun',
  'outputs-written',
  'offsets-written',
  'before-commit',
  'after-commit'
] as const

export type StagePoint = (typeof stagePoints)[number]

export const stageChannelName = 'orderly:stage'

const stageChannel = channel(stageChannelName)

export function passPoint(point: StagePoint): void {
  if (stageChannel.hasSubscribers) stageChannel.publish({ point })
}
