import { failureReasons, type Shortage } from '@orderly/contracts'
import { linesOf, minuteOf, shortLinesOf, type Wording } from './words.ts'

const lineWords = {
  unknown: (sku: string) => `${sku}: not offered`,
  short: ({ sku, requested, available }: Shortage) => `${sku}: ${requested} ordered, ${available} left`
}

export const english: Wording = {
  'order-reserved': ({ orderID, items, holdUntil }) => ({
    ...(holdUntil === undefined ? confirmed(orderID) : held(orderID, holdUntil)),
    lines: linesOf(items)
  }),
  'order-confirmed': ({ orderID, items }) => ({ ...confirmed(orderID), lines: linesOf(items) }),
  'order-cancelled': ({ orderID, items }) => ({
    subject: 'Order cancelled',
    introduction: `Your order ${orderID} is cancelled. Nothing is reserved for it any more${items.length === 0 ? '.' : ':'}`,
    lines: linesOf(items)
  }),
  'order-expired': ({ orderID, items }) => ({
    subject: 'Reservation expired',
    introduction: `Your order ${orderID} was not confirmed in time. Nothing is reserved for it any more:`,
    lines: linesOf(items)
  }),
  'order-failed': ({ orderID, reason, shortages }) => ({
    ...failed(orderID, reason, shortages.length === 0 ? '.' : ':'),
    lines: shortLinesOf(shortages, lineWords)
  })
}

function confirmed(orderID: string) {
  return { subject: 'Order confirmed', introduction: `Your order ${orderID} is confirmed:` }
}

function held(orderID: string, holdUntil: string) {
  return {
    subject: 'Order reserved',
    introduction: `Your order ${orderID} is reserved until ${minuteOf(holdUntil)} and waits to be confirmed:`
  }
}

function failed(orderID: string, reason: string, end: string) {
  switch (reason) {
    case failureReasons.outOfStock:
      return {
        subject: 'Out of stock',
        introduction: `Nothing of your order ${orderID} is reserved, because stock is short:`
      }
    case failureReasons.unknownSKU:
      return {
        subject: 'Item not available',
        introduction: `Nothing of your order ${orderID} is reserved, because we do not offer everything in it:`
      }
    default:
      return { subject: 'Order not possible', introduction: `Nothing of your order ${orderID} is reserved${end}` }
  }
}
