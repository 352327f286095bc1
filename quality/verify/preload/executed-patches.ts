import { type Profiler, Session } from 'node:inspector'

/**
 * Reports which patches of a mutant a thread has executed, from the coverage that V8 records. A patch
 * counts as executed if the innermost block around its first changed character was.
 */

/** Position of the first changed character of a patch in the patched source. */
export interface PatchPosition {
  readonly url: string
  readonly index: number
  readonly offset: number
}

const everyMs = 1_000

/**
 * Begins to record coverage. Must be called before the patched sources are compiled.
 * @param onExecuted called once for each patch that was executed, after at most a second
 * @returns a function that adds the position of a patch
 */
export function reportExecuted(onExecuted: (patch: PatchPosition) => void): (patch: PatchPosition) => void {
  const session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  const pending = new Set<PatchPosition>()

  function look(): void {
    if (pending.size === 0) return
    // The answer of the own thread arrives before `post` returns.
    session.post('Profiler.takePreciseCoverage', (error, coverage) => {
      if (error !== null) return
      for (const patch of pending) {
        const script = coverage.result.find(({ url }) => url === patch.url)
        if (script === undefined || !isExecuted(script, patch.offset)) continue
        pending.delete(patch)
        onExecuted(patch)
      }
    })
  }

  setInterval(look, everyMs).unref()
  process.on('exit', look)
  return patch => void pending.add(patch)
}

export function isExecuted({ functions }: Pick<Profiler.ScriptCoverage, 'functions'>, offset: number): boolean {
  let innermost: Profiler.CoverageRange | undefined
  for (const { ranges } of functions) {
    for (const range of ranges) {
      if (offset < range.startOffset || offset >= range.endOffset) continue
      const length = range.endOffset - range.startOffset
      if (innermost === undefined || length <= innermost.endOffset - innermost.startOffset) innermost = range
    }
  }
  return (innermost?.count ?? 0) > 0
}
