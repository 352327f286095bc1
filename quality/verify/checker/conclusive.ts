import type { History } from '../history/history.ts'

/**
 * A run is **conclusive** if the verifier knows enough about it. Requests without a known result may
 * or may not have taken effect, so the checkers accept both. If there are many of them, a run without
 * violations says little. The share counts each order and each change once, whichever of its attempts
 * was answered.
 */
export const mostUnknown = 0.2

interface Share {
  readonly what: string
  readonly total: number
  readonly unknown: number
}

/** Returns why a run is inconclusive; nothing for a conclusive one. */
export function inconclusiveReasons(history: History): string[] {
  return [
    ...sharesOf(history)
      .filter(({ total, unknown }) => unknown > total * mostUnknown)
      .map(({ what, total, unknown }) => {
        return `${percent(unknown / total)} of ${total} ${what} have no known result; at most ${percent(mostUnknown)} may`
      }),
    ...idleReaders(history).map(reader => `the reader ${reader} returned no record during the load`)
  ]
}

/** Returns the share of unknown results by kind of request. */
export function sharesOf({ requests, changeRequests, stock, statusReads }: History): Share[] {
  // Impatient clients do not wait for an answer on purpose.
  const patient = requests.filter(({ patienceMs }) => patienceMs > 1_000)
  return [
    shareOf('orders', patient, ({ id, idempotencyKey = id }) => idempotencyKey),
    shareOf('cancels and confirmations', changeRequests, ({ id, orderID }) => `${orderID} ${id[0]}${id.slice(2)}`),
    shareOf('stock changes', stock?.changes ?? [], ({ id }) => id),
    shareOf('requests for an order status', statusReads?.reads ?? [], (_, index) => String(index)),
    {
      what: 'lists of orders',
      total: statusReads?.lists.length ?? 0,
      unknown: statusReads?.lists.filter(({ isComplete }) => !isComplete).length ?? 0
    }
  ]
}

function shareOf<Attempt extends { readonly result: { readonly kind: string } }>(
  what: string,
  attempts: readonly Attempt[],
  keyOf: (attempt: Attempt, index: number) => string
): Share {
  const groups = [...Map.groupBy(attempts, keyOf).values()]
  const unknown = groups.filter(own => own.every(({ result }) => result.kind === 'unknown')).length
  return { what, total: groups.length, unknown }
}

function idleReaders({ reads = [], requests }: History): string[] {
  const loadEndedAtMs = Math.max(0, ...requests.map(({ sentAtMs }) => sentAtMs))
  return reads.filter(({ polls }) => !polls.some(({ atMs }) => atMs <= loadEndedAtMs)).map(({ reader }) => reader)
}

const percent = (share: number): string => `${(share * 100).toFixed(0)} %`
