import type { Wording } from './words.ts'

export const english: Wording = {
  'order-confirmed': ({ orderID, items }) => ({
    subject: 'Order confirmed',
    introduction: `Your order ${orderID} is confirmed:`,
    lines: items.map(({ sku, quantity }) => `${quantity} × ${sku}`)
  }),
  'out-of-stock': ({ orderID, shortages }) => ({
    subject: 'Out of stock',
    introduction: `Nothing of your order ${orderID} is reserved, because stock is short:`,
    lines: shortages.map(({ sku, requested, available }) => `${sku}: ${requested} ordered, ${available} left`)
  })
}
