import { failureReasons, type Shortage } from '@orderly/contracts'
import { linesOf, minuteOf, shortLinesOf, type Wording } from './words.ts'

const lineWords = {
  unknown: (sku: string) => `${sku}: nicht im Angebot`,
  short: ({ sku, requested, available }: Shortage) => `${sku}: ${requested} bestellt, ${available} vorrätig`
}

export const german: Wording = {
  'order-reserved': ({ orderID, items, holdUntil }) => ({
    subject: 'Bestellung reserviert',
    introduction: `Ihre Bestellung ${orderID} ist ${holdUntil === undefined ? 'reserviert' : `bis ${minuteOf(holdUntil)} reserviert und muss noch bestätigt werden`}:`,
    lines: linesOf(items)
  }),
  'order-confirmed': ({ orderID, items }) => ({
    subject: 'Bestellung bestätigt',
    introduction: `Ihre Bestellung ${orderID} ist bestätigt:`,
    lines: linesOf(items)
  }),
  'order-cancelled': ({ orderID, items }) => ({
    subject: 'Bestellung storniert',
    introduction: `Ihre Bestellung ${orderID} ist storniert. Für sie ist nichts mehr reserviert${items.length === 0 ? '.' : ':'}`,
    lines: linesOf(items)
  }),
  'order-expired': ({ orderID, items }) => ({
    subject: 'Bestellung abgelaufen',
    introduction: `Ihre Bestellung ${orderID} ist abgelaufen, weil sie nicht rechtzeitig bestätigt wurde. Für sie ist nichts mehr reserviert:`,
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
        subject: 'Bestellung gescheitert: nicht vorrätig',
        introduction: `Von Ihrer Bestellung ${orderID} ist nichts reserviert, weil der Vorrat nicht reicht:`
      }
    case failureReasons.unknownSKU:
      return {
        subject: 'Bestellung gescheitert: Artikel nicht erhältlich',
        introduction: `Von Ihrer Bestellung ${orderID} ist nichts reserviert, weil wir nicht alles davon anbieten:`
      }
    default:
      return {
        subject: 'Bestellung gescheitert',
        introduction: `Von Ihrer Bestellung ${orderID} ist nichts reserviert${end}`
      }
  }
}
