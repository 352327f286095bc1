/**
 * Outcome of an order: `refused` by the order service, or the outcome and the reason in the
 * notification.
 */
export type Ending = 'reserved' | 'failed (OUT_OF_STOCK)' | 'failed (UNKNOWN_SKU)' | 'refused'

export interface SampleOrder {
  readonly about: string
  readonly order: {
    readonly userID: string
    readonly items: { readonly sku: string; readonly quantity: number }[]
    readonly total: number
  }
  readonly expected: Ending
}

export interface Answer {
  readonly status: number
  /** Set only if the order was accepted. */
  readonly orderID?: string
  readonly requestedAtMs: number
}

export interface SentNotification {
  readonly id: string
  readonly orderID: string
  readonly userID: string
  readonly kind: string
  /** Set only if the order failed. */
  readonly reason?: string
  readonly subject: string
  readonly sentAtMs: number
}

export interface Verdict {
  readonly about: string
  readonly userID: string
  readonly lines: number
  readonly expected: Ending
  readonly status: number
  readonly orderID: string | null
  /** Actual outcome; null if unknown, because the notification is missing. */
  readonly outcome: Ending | null
  readonly notification: string | null
  /** Time from the request to its notification. */
  readonly latencyMs: number | null
  readonly asExpected: boolean
  /** Reason why it is not as expected. */
  readonly problem: string | null
}

const endings: Readonly<Record<string, Ending>> = {
  'order-reserved': 'reserved',
  'order-failed OUT_OF_STOCK': 'failed (OUT_OF_STOCK)',
  'order-failed UNKNOWN_SKU': 'failed (UNKNOWN_SKU)'
}

function endingOf(sent: SentNotification | undefined): Ending | null {
  return endings[[sent?.kind, sent?.reason].filter(Boolean).join(' ')] ?? null
}

/**
 * Judges an order after its notifications were waited for. The same notification may be sent twice.
 */
export function judge(sample: SampleOrder, answer: Answer, sent: readonly SentNotification[]): Verdict {
  const own = sent.filter(({ orderID }) => orderID === answer.orderID)
  const first = own[0]
  const outcome = isRefusal(answer.status) ? 'refused' : endingOf(first)
  const problem = problemOf(sample, answer, own, outcome)
  return {
    about: sample.about,
    userID: sample.order.userID,
    lines: sample.order.items.length,
    expected: sample.expected,
    status: answer.status,
    orderID: answer.orderID ?? null,
    outcome,
    notification: first?.subject ?? null,
    latencyMs: first === undefined ? null : Math.round(first.sentAtMs - answer.requestedAtMs),
    asExpected: problem === null,
    problem
  }
}

function problemOf(
  { order, expected }: SampleOrder,
  answer: Answer,
  own: readonly SentNotification[],
  outcome: Ending | null
): string | null {
  if (!isRefusal(answer.status) && answer.status !== 202) return `answered ${answer.status}`
  if (answer.status === 202 && own.length === 0) return 'no notification'
  if (new Set(own.map(({ id }) => id)).size > 1) return 'more than one outcome'
  if (own.some(({ userID }) => userID !== order.userID)) return 'another user was notified'
  return outcome === expected ? null : `${outcome ?? 'nothing'} instead of ${expected}`
}

/** Returns the notifications of orders that were not placed here. */
export function unexpected(answers: readonly Answer[], sent: readonly SentNotification[]): SentNotification[] {
  const placed = new Set(answers.map(({ orderID }) => orderID))
  return sent.filter(({ orderID }) => !placed.has(orderID))
}

function isRefusal(status: number): boolean {
  return status >= 400 && status < 500
}
