import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '@orderly/retry'
import type { RunningComponent } from '../components/component.ts'
import { describeExit, type SupervisedProcess } from './supervisor.ts'

export interface RestartPolicy {
  /**
   * Delay before the first restart; it doubles with each consecutive restart, up to `maxDelayMs`.
   */
  readonly firstDelayMs: number
  readonly maxDelayMs: number
  /** Consecutive restarts before the component stays down. */
  readonly maxRestarts: number
  /** Run time after which the count of restarts is reset. */
  readonly stableMs: number
}

export interface KeepRunningOptions {
  /** Starts the component again. Resolves when it is healthy. */
  readonly start: () => Promise<RunningComponent>
  /** Reports events for the terminal. */
  readonly report: (text: string) => void
  /** Aborted when everything is stopped. */
  readonly signal: AbortSignal
  readonly policy?: RestartPolicy
}

const usualPolicy: RestartPolicy = { firstDelayMs: 1_000, maxDelayMs: 30_000, maxRestarts: 5, stableMs: 60_000 }
/** EX_CONFIG of sysexits.h: the settings are invalid, so a restart would fail again. */
const wrongSettings = 78

/**
 * Restarts a component with backoff whenever one of its processes ends, until restarts fail repeatedly.
 */
export function keepRunning(component: RunningComponent, options: KeepRunningOptions): RunningComponent {
  const { start, report, signal, policy = usualPolicy } = options
  let current = component
  void watch().catch(error => signal.aborted || report(`${component.name} is no longer watched: ${error.message}`))
  return {
    ...component,
    get processes() {
      return current.processes
    },
    isHealthy: () => current.isHealthy(),
    stop: () => current.stop()
  }

  async function watch(): Promise<void> {
    let restarts = 0
    for (;;) {
      const startedAt = performance.now()
      const ended = await firstEnd(current.processes)
      if (signal.aborted) return
      if (performance.now() - startedAt >= policy.stableMs) restarts = 0
      let reason = `${component.name} ended (${describeExit(ended.exit)}); log: ${ended.child.logFile}`
      if (ended.exit.code === wrongSettings) {
        report(await exhausted(reason, ended.child))
        return
      }
      for (let isBack = false; !isBack; ) {
        if (restarts === policy.maxRestarts) {
          report(await exhausted(`${reason}\n${component.name} was restarted ${restarts} times in a row`, ended.child))
          return
        }
        restarts++
        const backoff = { initialMs: policy.firstDelayMs, maxMs: policy.maxDelayMs, jitter: 0 }
        const delayMs = backoffMs(restarts, backoff)
        report(
          `${reason}\nrestarting ${component.name} in ${delayMs / 1_000} s (restart ${restarts} of ${policy.maxRestarts})`
        )
        await delay(delayMs, undefined, { signal })
        try {
          current = await start()
          isBack = true
          report(`${component.name} is running again`)
        } catch (error) {
          if (signal.aborted) return
          reason = `${component.name} did not start: ${(error as Error).message}`
        }
      }
    }
  }

  async function exhausted(reason: string, child: SupervisedProcess): Promise<string> {
    return `${reason}\n${await child.lastLines()}\n${component.name} stays down; the others keep running. Fix the cause, then run \`npm run service -- ${component.name}\` in another terminal, or \`npm start\` again.`
  }
}

function firstEnd(children: readonly SupervisedProcess[]) {
  return Promise.race(children.map(async child => ({ child, exit: await child.exited })))
}
