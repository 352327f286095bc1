import { median } from './statistics.ts'

export interface Contestant {
  readonly name: string
  /** Does its work on the sample of this index; what it returns keeps the compiler from leaving the work out. */
  readonly run: (index: number) => unknown
}

export interface Measured {
  readonly name: string
  readonly medianNs: number
  readonly fastestNs: number
  readonly slowestNs: number
  /** Time for one operation compared to the first contestant in the same round: the median of all rounds. */
  readonly ratio: number
}

export interface RoundsOptions {
  readonly rounds: number
  readonly roundMs: number
  readonly samples: number
}

/**
 * Lets the contestants run in turns, round after round, so that whatever else the machine does at the time hits all of them,
 * and compares them within each round.
 */
export function measureInRounds(contestants: readonly Contestant[], options: RoundsOptions): Measured[] {
  // The first round is for the compiler.
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
  if (kept === undefined) throw new Error('a contestant returned nothing')
  return (elapsedMs * 1e6) / operations
}
