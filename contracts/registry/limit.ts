/** Limits the number of concurrent tasks; further tasks wait in order. */
export interface Limit {
  run<Result>(task: () => Promise<Result>): Promise<Result>
}

export function createLimit(maxConcurrent: number): Limit {
  const waiting: (() => void)[] = []
  let running = 0
  return {
    async run(task) {
      if (running >= maxConcurrent) await new Promise<void>(resolve => waiting.push(resolve))
      else running++
      try {
        return await task()
      } finally {
        const next = waiting.shift()
        if (next === undefined) running--
        else next()
      }
    }
  }
}
