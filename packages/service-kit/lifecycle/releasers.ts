import type { Logger } from '../logging/logger.ts'

/**
 * What has been opened and how to give it back. States: **open** (releasers are pushed) → **releasing** (last pushed,
 * first released, one after the other) → **released**. A releaser pushed while releasing or later runs at once: its
 * resource was opened by a start that had not noticed the stop.
 *
 * A releaser that fails does not keep the others from running; the first error is the one that is thrown.
 */
export interface Releasers {
  push(name: string, release: () => unknown): void
  /** Runs every releaser once; calling again waits for the same release. */
  release(): Promise<void>
  /** What is being released at the moment: what to name when it takes too long. */
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
      logger.error({ resource: name, error }, 'release failed')
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
