import { median } from './statistics.ts'

export interface Contestant {
  readonly name: string
  /**
   * Processes the sample with this index. It must return its result, so that the compiler does not
   * remove the work.
   */
  readonly run: (index: number) => unknown
}

export interface Measured {
  readonly name: string
  readonly medianNs: number
  readonly fastestNs: number
  readonly slowestNs: number
  /**
   * Median over all rounds of the time per operation relative to the first contestant in that
   * round.
   */
  readonly ratio: number
}

export interface RoundsOptions {
  readonly rounds: number
  readonly roundMs: number
  readonly samples: number
}

/**
 * Runs all contestants in each round, so that other load on the machine affects all of them, and
 * compares them within each round.
 */
export function measureInRounds(contestants: readonly Contestant[], options: RoundsOptions): Measured[] {
  // The first round warms up the compiler and is dropped.
  const rounds = Array.from({ length: options.rounds + 1 }, () =>
    contestants.map(contestant => nsPerOperation(contestant, options))
  ).slice(1)
  return contestants.map(({ name }, index) => {
    const ns = rounds.map(round => round[index] as number)
    return {
      name,
      medianNs: median(ns),
      fastestNs: Math.min(...ns),
      slowestNs: Math.max(...ns),
      ratio: median(rounds.map(round => (round[index] as number) / (round[0] as number)))
    }
  })
}

let kept: unknown

function nsPerOperation({ run }: Contestant, { roundMs, samples }: RoundsOptions): number {
  const start = performance.now()
  let operations = 0
  let elapsedMs = 0
  while (elapsedMs < roundMs) {
    for (let index = 0; index < samples; index++) kept = run(index)
    operations += samples
    elapsedMs = performance.now() - start
  }
  if (kept === undefined) throw new Error('a contestant must return a value, so that its work is not optimized away')
  return (elapsedMs * 1e6) / operations
}
