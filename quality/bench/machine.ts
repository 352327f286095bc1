import { availableParallelism, cpus, loadavg, release } from 'node:os'
import { describeCommit } from '@orderly/launcher'

/** Describes the machine and the commit that were measured. */
export function describeMachine(load: readonly number[]): string {
  const commit = describeCommit()
  const model = cpus()[0]?.model ?? 'unknown CPU'
  return (
    `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC, ${commit === undefined ? '' : `commit ${commit}, `}Node ${process.version}, ` +
    `${availableParallelism()} × ${model}, Linux ${release()}. ` +
    `Load average while measuring: ${load.map(value => value.toFixed(1)).join(' to ')} ` +
    '(1 is one busy core). Contestants take turns on the same broker, so ratios are more reliable than absolute figures; ' +
    'on a machine with other work, CPU time per record is the most reliable figure.'
  )
}

export function currentLoad(): number {
  return loadavg()[0] ?? 0
}
