import { failureReasons, type Shortage } from '@orderly/contracts'
import { linesOf, minuteOf, shortLinesOf, type Wording } from './words.ts'

const lineWords = {
  unknown: (sku: string) => `${sku}: not offered`,
  short: ({ sku, requested, available }: Shortage) => `${sku}: ${requested} ordered, ${available} left`
}

export const english: Wording = {
  'order-reserved': ({ orderID, items, holdUntil }) => ({
    subject: 'Order reserved',
    introduction: `Your order ${orderID} is reserved${holdUntil === undefined ? '' : ` until ${minuteOf(holdUntil)} and waits to be confirmed`}:`,
    lines: linesOf(items)
  }),
  'order-confirmed': ({ orderID, items }) => ({
    subject: 'Order confirmed',
    introduction: `Your order ${orderID} is confirmed:`,
    lines: linesOf(items)
  }),
  'order-cancelled': ({ orderID, items }) => ({
    subject: 'Order cancelled',
    introduction: `Your order ${orderID} is cancelled. Nothing is reserved for it any more${items.length === 0 ? '.' : ':'}`,
    lines: linesOf(items)
  }),
  'order-expired': ({ orderID, items }) => ({
    subject: 'Order expired',
    introduction: `Your order ${orderID} has expired, because it was not confirmed in time. Nothing is reserved for it any more:`,
    lines: linesOf(items)
  }),
  'order-failed': ({ orderID, reason, shortages }) => ({
    ...failed(orderID, reason, shortages.length === 0 ? '.' : ':'),
    lines: shortLinesOf(shortages, lineWords)
  })
}

function failed(orderID: string, reason: string, end: string) {
  switch (reason) {
    case failureReasons.outOfStock:
      return {
        subject: 'Order failed: out of stock',
        introduction: `Nothing of your order ${orderID} is reserved, because stock is short:`
      }
    case failureReasons.unknownSKU:
      return {
        subject: 'Order failed: item not available',
        introduction: `Nothing of your order ${orderID} is reserved, because we do not offer everything in it:`
      }
    default:
      return { subject: 'Order failed', introduction: `Nothing of your order ${orderID} is reserved${end}` }
  }
}
