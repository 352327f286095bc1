import { type Order, statusOf } from './order-status.ts'

/** What the holder of an order may want of it. */
export type Wish = 'cancel' | 'confirm'

export type WishVerdict =
  /** It is so already. */
  | { readonly kind: 'fulfilled' }
  /** The inventory has to be asked, and may find that something else was first. */
  | { readonly kind: 'open' }
  /** Nobody can tell before the order has its outcome. */
  | { readonly kind: 'undecided' }
  /** It will never be so. */
  | { readonly kind: 'refused'; readonly code: RefusalCode; readonly detail: string }

export type RefusalCode = 'ORDER_HAS_NO_HOLD' | 'ORDER_FAILED' | 'ORDER_EXPIRED' | 'ORDER_CANCELLED'

/** What can be told of a wish by the status of its order. */
export function judgeWish(wish: Wish, order: Order): WishVerdict {
  const status = statusOf(order)
  const over = endings[status]
  if (wish === 'cancel') {
    if (status === 'cancelled') return { kind: 'fulfilled' }
    return over ?? { kind: 'open' }
  }
  if (over !== undefined) return over
  if (status === 'confirmed') return { kind: 'fulfilled' }
  if (order.created.holdSeconds === undefined) return withoutHold
  if (order.decided === undefined) return { kind: 'undecided' }
  return order.decided.kind === 'reserved' && order.decided.holdUntilMs !== undefined ? { kind: 'open' } : withoutHold
}

const withoutHold: WishVerdict = {
  kind: 'refused',
  code: 'ORDER_HAS_NO_HOLD',
  detail: 'The order was placed without `holdSeconds`: it needs no confirmation.'
}

const endings: Readonly<Record<string, WishVerdict>> = {
  failed: { kind: 'refused', code: 'ORDER_FAILED', detail: 'The order has failed: nothing is reserved for it.' },
  expired: {
    kind: 'refused',
    code: 'ORDER_EXPIRED',
    detail: 'Nobody confirmed the order in time: nothing is reserved for it any more.'
  },
  cancelled: {
    kind: 'refused',
    code: 'ORDER_CANCELLED',
    detail: 'The order was cancelled: nothing is reserved for it any more.'
  }
}
