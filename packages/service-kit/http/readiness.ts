export type ReadinessCheck = () => boolean | Promise<boolean>

export interface Readiness {
  add(name: string, check: ReadinessCheck): void
  /** `ok` or the reason, by name. Asked often, the checks run once a second. */
  check(): Promise<ReadinessReport>
}

export interface ReadinessReport {
  readonly isReady: boolean
  readonly checks: Readonly<Record<string, string>>
}

interface Options {
  readonly checkTimeoutMs?: number
  readonly freshMs?: number
}

export function createReadiness({ checkTimeoutMs = 2_000, freshMs = 1_000 }: Options = {}): Readiness {
  const checks = new Map<string, () => Promise<string>>()
  let report: Promise<ReadinessReport> | undefined
  let freshUntilMs = 0

  async function run(): Promise<ReadinessReport> {
    const results = await Promise.all(Array.from(checks, async ([name, check]) => [name, await check()] as const))
    freshUntilMs = performance.now() + freshMs
    return { isReady: results.every(([, result]) => result === 'ok'), checks: Object.fromEntries(results) }
  }

  return {
    add(name, check) {
      checks.set(name, once(name, check, checkTimeoutMs))
    },
    check() {
      if (report === undefined || performance.now() > freshUntilMs) {
        freshUntilMs = Number.POSITIVE_INFINITY
        report = run()
      }
      return report
    }
  }
}

/** At most one run at a time: a check that hangs is reported, not started again and again. */
function once(name: string, check: ReadinessCheck, timeoutMs: number): () => Promise<string> {
  let running: Promise<string> | undefined
  return async () => {
    running ??= resultOf(name, check).finally(() => {
      running = undefined
    })
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<string>(resolve => {
      timer = setTimeout(() => resolve(`no answer within ${timeoutMs} ms`), timeoutMs)
    })
    try {
      return await Promise.race([running, timeout])
    } finally {
      clearTimeout(timer)
    }
  }
}

async function resultOf(name: string, check: ReadinessCheck): Promise<string> {
  try {
    return (await check()) ? 'ok' : `${name} is not ready`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
