import { type Order, statusOf } from './order-status.ts'

/** A change that a caller can request for an order. */
export type ChangeKind = 'cancel' | 'confirm'

export type ChangeVerdict =
  /** The change is already in effect. */
  | { readonly kind: 'fulfilled' }
  /** The inventory must decide. It may find that a conflicting change was first. */
  | { readonly kind: 'open' }
  /** The answer depends on the outcome of the order, which is pending. */
  | { readonly kind: 'undecided' }
  /** The change can never take effect. */
  | { readonly kind: 'refused'; readonly code: RefusalCode; readonly detail: string }

export type RefusalCode = 'ORDER_HAS_NO_HOLD' | 'ORDER_FAILED' | 'ORDER_EXPIRED' | 'ORDER_CANCELLED'

/** Evaluates a requested change against the status of its order. */
export function evaluateChangeRequest(changeRequest: ChangeKind, order: Order): ChangeVerdict {
  const status = statusOf(order)
  const over = endings[status]
  if (changeRequest === 'cancel') {
    if (status === 'cancelled') return { kind: 'fulfilled' }
    return over ?? { kind: 'open' }
  }
  if (over !== undefined) return over
  if (status === 'confirmed') return { kind: 'fulfilled' }
  if (order.created.holdSeconds === undefined) return withoutHold
  if (order.decided === undefined) return { kind: 'undecided' }
  return order.decided.kind === 'reserved' && order.decided.holdUntilMs !== undefined ? { kind: 'open' } : withoutHold
}

const withoutHold: ChangeVerdict = {
  kind: 'refused',
  code: 'ORDER_HAS_NO_HOLD',
  detail: 'The order was placed without `holdSeconds` and needs no confirmation.'
}

const endings: Readonly<Record<string, ChangeVerdict>> = {
  failed: { kind: 'refused', code: 'ORDER_FAILED', detail: 'The order has failed. No stock is reserved for it.' },
  expired: {
    kind: 'refused',
    code: 'ORDER_EXPIRED',
    detail: 'The hold ended before the order was confirmed. Its stock has been released.'
  },
  cancelled: {
    kind: 'refused',
    code: 'ORDER_CANCELLED',
    detail: 'The order was cancelled. No stock is reserved for it.'
  }
}
