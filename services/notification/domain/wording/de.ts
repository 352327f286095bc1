import type { Wording } from './words.ts'

export const german: Wording = {
  'order-confirmed': ({ orderID, items }) => ({
    subject: 'Bestellung bestätigt',
    introduction: `Ihre Bestellung ${orderID} ist bestätigt:`,
    lines: items.map(({ sku, quantity }) => `${quantity} × ${sku}`)
  }),
  'out-of-stock': ({ orderID, shortages }) => ({
    subject: 'Nicht vorrätig',
    introduction: `Von Ihrer Bestellung ${orderID} ist nichts reserviert, weil der Vorrat nicht reicht:`,
    lines: shortages.map(({ sku, requested, available }) => `${sku}: ${requested} bestellt, ${available} vorrätig`)
  })
}
