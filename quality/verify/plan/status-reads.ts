import type { StreamRead } from '../history/status-reads.ts'
import { createRandom, type Random } from './random.ts'

/** How a client follows the status of an order that was accepted. */
export type StatusPlan =
  | {
      readonly kind: 'polls'
      /** Delay before each request, and the number that selects its instance. */
      readonly polls: readonly { readonly delayMs: number; readonly endpoint: number }[]
    }
  | {
      readonly kind: 'stream'
      readonly until: StreamRead['until']
      /** Connections, which the client closes after this time, unless the service does. */
      readonly connections: readonly { readonly openMs: number; readonly endpoint: number }[]
    }

/** A planned list of the orders of one user. */
export interface ListPlan {
  readonly afterMs: number
  readonly userID: string
  readonly limit: number
  /** Number that selects the instance of the first page; the next page is read from the next one. */
  readonly endpoint: number
}

/** Longest `Prefer: wait` of the load in seconds. */
const longestWaitSeconds = 2

/**
 * Plans how the status of an order is followed, and `Prefer: wait` of its requests. Both depend on
 * the seed and the request only, so that they leave the plan of the load as it is.
 */
export function planStatusReads(seed: number, requestID: string): StatusPlan | undefined {
  const random = createRandom(seed, `status ${requestID}`)
  const draw = random.next()
  if (draw < 0.06) return { kind: 'polls', polls: planPolls(random) }
  if (draw > 0.12) return undefined
  return {
    kind: 'stream',
    until: random.chance(0.5) ? 'settled' : 'final',
    connections: Array.from({ length: random.integer(1, 4) }, () => {
      return {
        openMs: random.chance(0.3) ? random.integer(1, 60) : random.integer(100, 2_500),
        endpoint: random.integer(0, 1_000)
      }
    })
  }
}

/** Returns the seconds of `Prefer: wait` that a request sends; undefined for most requests. */
export function planWait(seed: number, requestID: string): number | undefined {
  const random = createRandom(seed, `wait ${requestID}`)
  return random.chance(0.05) ? random.integer(0, longestWaitSeconds) : undefined
}

/** Polls often at first, when the status changes, and then until most holds have ended. */
function planPolls(random: Random): { delayMs: number; endpoint: number }[] {
  const delaysMs = [0, random.integer(0, 50), random.integer(20, 150), random.integer(100, 500)]
  for (let count = random.integer(2, 5); count > 0; count--) delaysMs.push(random.integer(200, 1_500))
  return delaysMs.map(delayMs => ({ delayMs, endpoint: random.integer(0, 1_000) }))
}

/** Generates an endless sequence of lists. */
export function* planLists(seed: number, users: readonly string[]): Generator<ListPlan, never> {
  const random = createRandom(seed, 'lists')
  for (;;) {
    yield {
      afterMs: random.integer(100, 1_000),
      userID: random.pick(users),
      limit: random.pick([2, 7, 25, 100]),
      endpoint: random.integer(0, 1_000)
    }
  }
}
