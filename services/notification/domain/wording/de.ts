import type { Shortage } from '@orderly/contracts'
import { linesOf, minuteOf, shortLinesOf, type Wording } from './words.ts'

const lineWords = {
  unknown: (sku: string) => `${sku}: nicht im Angebot`,
  short: ({ sku, requested, available }: Shortage) => `${sku}: ${requested} bestellt, ${available} vorrätig`
}

export const german: Wording = {
  'order-confirmed': ({ orderID, items }) => ({
    subject: 'Bestellung bestätigt',
    introduction: `Ihre Bestellung ${orderID} ist bestätigt:`,
    lines: linesOf(items)
  }),
  'order-held': ({ orderID, items, holdUntil }) => ({
    subject: 'Bestellung reserviert',
    introduction: `Ihre Bestellung ${orderID} ist bis ${minuteOf(holdUntil)} reserviert und muss noch bestätigt werden:`,
    lines: linesOf(items)
  }),
  'order-cancelled': ({ orderID, items }) => ({
    subject: 'Bestellung storniert',
    introduction: `Ihre Bestellung ${orderID} ist storniert. Für sie ist nichts mehr reserviert${items.length === 0 ? '.' : ':'}`,
    lines: linesOf(items)
  }),
  'order-expired': ({ orderID, items }) => ({
    subject: 'Reservierung abgelaufen',
    introduction: `Ihre Bestellung ${orderID} wurde nicht rechtzeitig bestätigt. Für sie ist nichts mehr reserviert:`,
    lines: linesOf(items)
  }),
  'out-of-stock': ({ orderID, shortages }) => ({
    subject: 'Nicht vorrätig',
    introduction: `Von Ihrer Bestellung ${orderID} ist nichts reserviert, weil der Vorrat nicht reicht:`,
    lines: shortLinesOf(shortages, lineWords)
  }),
  'unknown-sku': ({ orderID, shortages }) => ({
    subject: 'Artikel nicht erhältlich',
    introduction: `Von Ihrer Bestellung ${orderID} ist nichts reserviert, weil wir nicht alles davon anbieten:`,
    lines: shortLinesOf(shortages, lineWords)
  }),
  'order-failed': ({ orderID, shortages }) => ({
    subject: 'Bestellung nicht möglich',
    introduction: `Von Ihrer Bestellung ${orderID} ist nichts reserviert${shortages.length === 0 ? '.' : ':'}`,
    lines: shortLinesOf(shortages, lineWords)
  })
}
