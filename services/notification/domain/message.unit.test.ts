import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  anyInventoryConfirmed,
  anyInventoryFailed,
  anyInventoryReleased,
  anyInventoryReserved,
  inventoryFailed,
  inventoryReleased,
  inventoryReserved
} from '@orderly/contracts/testing'
import fc from 'fast-check'
import { escapeHTML, locales, messageFor } from './message.ts'
import { type Notification, notificationFor } from './notification.ts'

const linesOf = (notification: Notification) =>
  'shortages' in notification ? notification.shortages : notification.items

const reserved = notificationFor(
  inventoryReserved({
    orderID: 'o-1',
    items: [
      { sku: 'MUG-WHITE', quantity: 2 },
      { sku: 'TEA <GREEN> & "MILK"', quantity: 1 }
    ]
  })
)
const short = notificationFor(
  inventoryFailed({
    orderID: 'o-2',
    shortages: [{ sku: 'MUG-WHITE', requested: 9, available: 4, reason: 'OUT_OF_STOCK' }]
  })
)

const anyNotification = fc
  .oneof(anyInventoryReserved(), anyInventoryFailed(), anyInventoryConfirmed(), anyInventoryReleased())
  .map(notificationFor)
const anyLocale = fc.constantFrom(...locales)

/** Typical injection attempts, and arbitrary strings. */
const hostile = fc.oneof(
  fc.constantFrom(
    '<script>alert(1)</script>',
    '</title></head>',
    '"><img src=x onerror=alert(1)>',
    "' onload='x",
    '&lt;b&gt;',
    '<!--',
    ']]>',
    'a\r\nBcc: everybody@example.com\r\n\r\nbody',
    '\u202egnp.exe',
    'x\0y'
  ),
  fc.string({ unit: 'binary' })
)
const hostileNotification = fc
  .record({ orderID: hostile, userID: hostile, sku: hostile, count: fc.nat() })
  .chain(({ orderID, userID, sku, count }) =>
    fc.constantFrom(
      notificationFor(inventoryReserved({ orderID, userID, items: [{ sku, quantity: count }] })),
      notificationFor(
        inventoryFailed({
          ...{ orderID, userID, reason: sku },
          shortages: [{ sku, requested: count, available: count, reason: sku }]
        })
      )
    )
  )

test('a reserved order is described line by line in English and in German', () => {
  const { subject, text } = messageFor(reserved, 'en')
  assert.equal(subject, 'Order reserved')
  assert.equal(text, 'Your order o-1 is reserved:\n2 × MUG-WHITE\n1 × TEA <GREEN> & "MILK"')
  const german = messageFor(reserved, 'de')
  assert.equal(german.subject, 'Bestellung reserviert')
  assert.equal(german.text, 'Ihre Bestellung o-1 ist reserviert:\n2 × MUG-WHITE\n1 × TEA <GREEN> & "MILK"')
})

test('an order that is out of stock is described with its shortages in English and in German', () => {
  assert.equal(
    messageFor(short, 'en').text,
    'Nothing of your order o-2 is reserved, because stock is short:\nMUG-WHITE: 9 ordered, 4 left'
  )
  assert.equal(
    messageFor(short, 'de').text,
    'Von Ihrer Bestellung o-2 ist nichts reserviert, weil der Vorrat nicht reicht:\nMUG-WHITE: 9 bestellt, 4 vorrätig'
  )
})

test('an order with an unknown SKU is described line by line in English and in German', () => {
  const shortages = [
    { sku: 'UNICORN', requested: 1, available: 0, reason: 'UNKNOWN_SKU' },
    { sku: 'MUG-WHITE', requested: 9, available: 4, reason: 'OUT_OF_STOCK' }
  ]
  const notification = notificationFor(inventoryFailed({ orderID: 'o-2', reason: 'UNKNOWN_SKU', shortages }))
  assert.equal(messageFor(notification, 'en').subject, 'Order failed: item not available')
  assert.equal(
    messageFor(notification, 'en').text,
    'Nothing of your order o-2 is reserved, because we do not offer everything in it:\nUNICORN: not offered\nMUG-WHITE: 9 ordered, 4 left'
  )
  assert.equal(
    messageFor(notification, 'de').text,
    'Von Ihrer Bestellung o-2 ist nichts reserviert, weil wir nicht alles davon anbieten:\nUNICORN: nicht im Angebot\nMUG-WHITE: 9 bestellt, 4 vorrätig'
  )
})

test('an order with an unknown failure reason is described without the reason in English and in German', () => {
  const notification = notificationFor(inventoryFailed({ orderID: 'o-2', reason: 'NEW_REASON', shortages: [] }))
  assert.equal(messageFor(notification, 'en').text, 'Nothing of your order o-2 is reserved.')
  assert.equal(messageFor(notification, 'de').text, 'Von Ihrer Bestellung o-2 ist nichts reserviert.')
})

test('held, cancelled and expired orders are described in English and in German', () => {
  const items = [{ sku: 'MUG-WHITE', quantity: 2 }]
  const fields = { orderID: 'o-3', items }
  const texts = (given: Parameters<typeof notificationFor>[0]) =>
    (['en', 'de'] as const).map(locale => messageFor(notificationFor(given), locale)).map(({ text }) => text)
  assert.deepEqual(texts(inventoryReserved({ ...fields, holdUntilMs: 1_700_000_000_123 })), [
    'Your order o-3 is reserved until 2023-11-14 22:13 UTC and waits to be confirmed:\n2 × MUG-WHITE',
    'Ihre Bestellung o-3 ist bis 2023-11-14 22:13 UTC reserviert und muss noch bestätigt werden:\n2 × MUG-WHITE'
  ])
  assert.deepEqual(texts(inventoryReleased(fields)), [
    'Your order o-3 is cancelled. Nothing is reserved for it any more:\n2 × MUG-WHITE',
    'Ihre Bestellung o-3 ist storniert. Für sie ist nichts mehr reserviert:\n2 × MUG-WHITE'
  ])
  assert.deepEqual(texts(inventoryFailed({ orderID: 'o-3', reason: 'CANCELLED', shortages: [] })), [
    'Your order o-3 is cancelled. Nothing is reserved for it any more.',
    'Ihre Bestellung o-3 ist storniert. Für sie ist nichts mehr reserviert.'
  ])
  assert.deepEqual(texts(inventoryReleased({ ...fields, cause: 'expired' })), [
    'Your order o-3 has expired, because it was not confirmed in time. Nothing is reserved for it any more:\n2 × MUG-WHITE',
    'Ihre Bestellung o-3 ist abgelaufen, weil sie nicht rechtzeitig bestätigt wurde. Für sie ist nichts mehr reserviert:\n2 × MUG-WHITE'
  ])
})

test('every subject names the status of its order in the words of its language, and no other status', () => {
  const words = {
    en: { reserved: 'reserved', confirmed: 'confirmed', failed: 'failed', cancelled: 'cancelled', expired: 'expired' },
    de: {
      ...{ reserved: 'reserviert', confirmed: 'bestätigt', failed: 'gescheitert' },
      ...{ cancelled: 'storniert', expired: 'abgelaufen' }
    }
  }
  const order = { en: 'Order', de: 'Bestellung' }
  fc.assert(
    fc.property(anyNotification, anyLocale, (notification, locale) => {
      const status = notification.kind.slice('order-'.length) as keyof typeof words.en
      const [subject] = messageFor(notification, locale).subject.split(':')
      assert.equal(subject, `${order[locale]} ${words[locale][status]}`)
    })
  )
})

test('the HTML is a complete document in its language, and user input in it is escaped', () => {
  const { html } = messageFor(reserved, 'de')
  assert.ok(html.startsWith('<!doctype html><html lang="de">'))
  assert.ok(html.includes('<li>1 × TEA &lt;GREEN&gt; &amp; &quot;MILK&quot;</li>'))
})

test('for any user input, the HTML contains only known tags and only entities from escaping', () => {
  const ourTags = /<!doctype html>|<html lang="[a-z]{2}">|<meta charset="utf-8">|<\/?(?:html|head|title|body|p|ul|li)>/g
  const entity = /&(?:amp|lt|gt|quot|#39);/g
  fc.assert(
    fc.property(fc.oneof(hostileNotification, anyNotification), anyLocale, (notification, locale) => {
      const { html } = messageFor(notification, locale)
      const lines = linesOf(notification)
      assert.equal(html.match(ourTags)?.length, lines.length === 0 ? 12 : 14 + 2 * lines.length)
      assert.doesNotMatch(html.replaceAll(ourTags, '').replaceAll(entity, ''), /[<>&"']/)
    }),
    { numRuns: 500 }
  )
})

test('a subject never contains user input, and each line of the text is a line of the order', () => {
  fc.assert(
    fc.property(fc.oneof(hostileNotification, anyNotification), anyLocale, (notification, locale) => {
      const { subject, text } = messageFor(notification, locale)
      assert.match(subject, /^[\p{L} ]+(?:: [\p{L} ]+)?$/u)
      const lines = linesOf(notification)
      assert.equal(text.split(/[\n\r\u2028\u2029\v\f\u0085]/).length, 1 + lines.length)
      assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u)
    }),
    { numRuns: 500 }
  )
})

test('escaping is reversible', () => {
  const characters: Record<string, string> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'" }
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      assert.equal(
        escapeHTML(text).replace(/&(?:amp|lt|gt|quot|#39);/g, found => characters[found] as string),
        text
      )
    })
  )
})
