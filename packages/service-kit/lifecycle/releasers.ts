import type { Logger } from '../logging/logger.ts'

/**
 * A stack of functions that release opened resources. States: **open** (releasers are pushed) →
 * **releasing** (sequentially, last pushed first) → **released**. A releaser pushed while releasing
 * or later runs immediately: its resource was opened by a start that had not noticed the stop.
 *
 * All releasers run even if some fail; `release` rejects with the first error.
 */
export interface Releasers {
  push(name: string, release: () => unknown): void
  /** Runs every releaser once. Repeated calls wait for the same release. */
  release(): Promise<void>
  /** Name of the resource that is being released, for the log message about a slow shutdown. */
  current(): string | undefined
}

interface Releaser {
  readonly name: string
  readonly release: () => unknown
}

export function createReleasers(logger: Logger): Releasers {
  const open: Releaser[] = []
  const late: Promise<void>[] = []
  let released: Promise<void> | undefined
  let current: string | undefined
  let firstError: { error: unknown } | undefined

  async function releaseOne({ name, release }: Releaser): Promise<void> {
    current = name
    try {
      await release()
      logger.debug({ resource: name }, 'released')
    } catch (error) {
      firstError ??= { error }
      logger.error({ event: 'release_failed', resource: name, error }, 'release failed')
    }
  }

  async function releaseAll(): Promise<void> {
    for (let releaser = open.pop(); releaser !== undefined; releaser = open.pop()) await releaseOne(releaser)
    while (late.length > 0) await late.pop()
    current = undefined
    if (firstError !== undefined) throw firstError.error
  }

  return {
    push(name, release) {
      if (released === undefined) open.push({ name, release })
      else late.push(releaseOne({ name, release }))
    },
    release() {
      released ??= Promise.resolve().then(releaseAll)
      return released
    },
    current: () => current
  }
}
