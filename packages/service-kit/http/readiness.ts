import type { Logger } from '../logging/logger.ts'

export type ReadinessCheck = () => boolean | Promise<boolean>

/**
 * The condition under which a failing check makes the service unready.
 *
 * - `always`: every request needs the checked dependency.
 * - `start`: only until the check has passed once. Requests do not need the dependency, but a
 *   rollout must not proceed before it works.
 * - `never`: some requests work without the dependency. The check is reported to operators only.
 */
export type ReadinessGate = 'always' | 'start' | 'never'

export interface Readiness {
  /** Adds a check. @param gate `always` by default */
  add(name: string, check: ReadinessCheck, gate?: ReadinessGate): void
  /** Reports the state of each check. Runs the checks at most once a second. */
  check(): Promise<ReadinessReport>
}

/** The report of `/health/ready`. It is public, so it contains no reasons; the log does. */
export interface ReadinessReport {
  readonly isReady: boolean
  readonly checks: Readonly<Record<string, CheckState>>
}

type CheckState = 'ok' | 'failing'

interface Options {
  readonly logger: Pick<Logger, 'info' | 'warn'>
  readonly checkTimeoutMs?: number
  readonly freshMs?: number
}

interface Check {
  readonly name: string
  readonly gate: ReadinessGate
  readonly run: () => Promise<unknown>
  state: CheckState | undefined
  hasPassed: boolean
}

export function createReadiness({ logger, checkTimeoutMs = 2_000, freshMs = 1_000 }: Options): Readiness {
  const checks = new Map<string, Check>()
  let report: Promise<ReadinessReport> | undefined
  let freshUntilMs = 0

  async function runAll(): Promise<ReadinessReport> {
    const all = [...checks.values()]
    await Promise.all(all.map(runOne))
    freshUntilMs = performance.now() + freshMs
    return {
      isReady: all.every(isSatisfied),
      checks: Object.fromEntries(all.map(({ name, state = 'failing' }) => [name, state]))
    }
  }

  async function runOne(check: Check): Promise<void> {
    const failure = await check.run()
    const state = failure === undefined ? 'ok' : 'failing'
    check.hasPassed ||= state === 'ok'
    if (state === check.state) return
    const fields = { check: check.name, gate: check.gate, error: failure }
    if (state === 'ok') logger.info({ check: check.name }, 'readiness check passed')
    else if (check.gate === 'start' && !check.hasPassed)
      logger.info({ event: 'readiness_check_pending', ...fields }, 'readiness check has not passed yet')
    else logger.warn({ event: 'readiness_check_failed', ...fields }, 'readiness check failed')
    check.state = state
  }

  return {
    add(name, check, gate = 'always') {
      checks.set(name, { name, gate, run: once(name, check, checkTimeoutMs), state: undefined, hasPassed: false })
    },
    check() {
      if (report === undefined || performance.now() > freshUntilMs) {
        freshUntilMs = Number.POSITIVE_INFINITY
        report = runAll()
      }
      return report
    }
  }
}

function isSatisfied({ gate, state, hasPassed }: Check): boolean {
  return state === 'ok' || gate === 'never' || (gate === 'start' && hasPassed)
}

/**
 * Wraps a check so that at most one call runs at a time: a hanging check is reported as failed and
 * not started again. The returned function resolves with the reason of a failure, or undefined.
 */
function once(name: string, check: ReadinessCheck, timeoutMs: number): () => Promise<unknown> {
  let running: Promise<unknown> | undefined
  return async () => {
    running ??= failureOf(name, check).finally(() => {
      running = undefined
    })
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<Error>(resolve => {
      timer = setTimeout(() => resolve(new Error(`${name} did not answer within ${timeoutMs} ms`)), timeoutMs)
    })
    try {
      return await Promise.race([running, timeout])
    } finally {
      clearTimeout(timer)
    }
  }
}

async function failureOf(name: string, check: ReadinessCheck): Promise<unknown> {
  try {
    return (await check()) ? undefined : new Error(`${name} is not ready`)
  } catch (error) {
    return error ?? new Error(`${name} failed without an error`)
  }
}
