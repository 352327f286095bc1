import { spawnSync } from 'node:child_process'
import { availableParallelism, cpus, loadavg, release } from 'node:os'

/** What the figures were measured on. */
export function describeMachine(load: readonly number[]): string {
  const model = cpus()[0]?.model ?? 'unknown CPU'
  return (
    `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC, ${describeCommit()}Node ${process.version}, ` +
    `${availableParallelism()} × ${model}, Linux ${release()}. ` +
    `Load average while measuring: ${load.map(value => value.toFixed(1)).join(' to ')} ` +
    '(1 is a core kept busy). Contestants run in turns on the same broker, so ratios hold where absolute figures do not; ' +
    'where others used the machine, too, processor time for each record is the figure to trust.'
  )
}

/** What was measured; nothing where there is no Git, or no repository. */
function describeCommit(): string {
  const { status, stdout } = spawnSync('git', ['describe', '--always', '--dirty=, changed since'], {
    cwd: import.meta.dirname,
    encoding: 'utf8'
  })
  return status === 0 ? `commit ${stdout.trim()}, ` : ''
}

export function currentLoad(): number {
  return loadavg()[0] ?? 0
}
