import type { Shortage } from '@orderly/contracts'
import { linesOf, minuteOf, shortLinesOf, type Wording } from './words.ts'

const lineWords = {
  unknown: (sku: string) => `${sku}: not offered`,
  short: ({ sku, requested, available }: Shortage) => `${sku}: ${requested} ordered, ${available} left`
}

export const english: Wording = {
  'order-confirmed': ({ orderID, items }) => ({
    subject: 'Order confirmed',
    introduction: `Your order ${orderID} is confirmed:`,
    lines: linesOf(items)
  }),
  'order-held': ({ orderID, items, holdUntil }) => ({
    subject: 'Order reserved',
    introduction: `Your order ${orderID} is reserved until ${minuteOf(holdUntil)} and waits to be confirmed:`,
    lines: linesOf(items)
  }),
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
  'out-of-stock': ({ orderID, shortages }) => ({
    subject: 'Out of stock',
    introduction: `Nothing of your order ${orderID} is reserved, because stock is short:`,
    lines: shortLinesOf(shortages, lineWords)
  }),
  'unknown-sku': ({ orderID, shortages }) => ({
    subject: 'Item not available',
    introduction: `Nothing of your order ${orderID} is reserved, because we do not offer everything in it:`,
    lines: shortLinesOf(shortages, lineWords)
  }),
  'order-failed': ({ orderID, shortages }) => ({
    subject: 'Order not possible',
    introduction: `Nothing of your order ${orderID} is reserved${shortages.length === 0 ? '.' : ':'}`,
    lines: shortLinesOf(shortages, lineWords)
  })
}
