import type { StockChangeKind } from '../history/stock.ts'
import { createRandom, type Random } from './random.ts'

/** A planned stock change. */
export interface StockPlan {
  readonly id: string
  /** Time since the previous change. */
  readonly afterMs: number
  /** Number that selects the instance of the first attempt; the next attempt uses the next one. */
  readonly endpoint: number
  readonly sku: string
  readonly change: StockChangeKind
  /** Delays before repetitions of an adjustment with the same key, although its result is known. */
  readonly repeatDelaysMs: readonly number[]
  /** True if the key is then used for another adjustment, which must be refused. */
  readonly reusesKey: boolean
  /** Delay before each further attempt of an adjustment while the result is unknown. */
  readonly retryDelaysMs: readonly number[]
}

/** SKUs that only stock changes use, so that some of them are created during the run. */
const newSKUs = ['NEW-1', 'NEW-2', 'NEW-3']

/** Generates an endless sequence of stock changes, about two per second. */
export function* planStockChanges(seed: number, skus: readonly string[]): Generator<StockPlan, never> {
  const random = createRandom(seed, 'stock changes')
  for (let number = 1; ; number++) {
    const id = `change-${seed}-${number}`
    const change = planChange(random, id)
    const isKeyed = change.kind === 'adjust'
    yield {
      id,
      afterMs: random.integer(50, 900),
      endpoint: random.integer(0, 1_000),
      sku: random.pick(random.chance(0.15) ? newSKUs : skus),
      change,
      repeatDelaysMs: isKeyed && random.chance(0.5) ? [random.integer(0, 5), random.integer(0, 2_000)] : [],
      reusesKey: isKeyed && random.chance(0.2),
      retryDelaysMs: isKeyed ? Array.from({ length: 5 }, () => random.integer(100, 1_500)) : []
    }
  }
}

function planChange(random: Random, id: string): StockChangeKind {
  const draw = random.next()
  if (draw < 0.15) return { kind: 'set', available: random.integer(0, 40) }
  if (draw < 0.4) return { kind: 'count', onHand: random.integer(0, 400) }
  // More pieces are added than removed, so that hot SKUs are short at times, but not for ever.
  return { kind: 'adjust', delta: random.integer(1, 20) * (random.chance(0.4) ? -1 : 1), key: id }
}
