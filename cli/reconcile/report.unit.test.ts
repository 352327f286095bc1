import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Listed, printReport, type Report } from './report.ts'

for (const count of [1, 3]) {
  test(`the report of ${count} of everything has subjects and verbs that agree`, () => {
    const listed = <Item>(item: Item): Listed<Item> => ({ count, first: Array.from({ length: count }, () => item) })
    const level = { sku: 'MUG', availableBefore: 1, reservedBefore: 1, available: -1, reserved: 1 }
    const lines: string[] = []
    const output = { line: (text = '') => void lines.push(text), table: () => {} }
    printReport(
      output as never,
      {
        isApplied: true,
        restoredToMs: undefined,
        added: { order: count },
        stock: listed(level),
        lost: {
          outcomes: listed({ orderID: 'o', topic: 't', partition: 0, offset: 0 }),
          settlements: listed('o'),
          unreadable: listed('t 0/0'),
          movements: listed(level)
        },
        contradictions: {
          outcomes: listed('o'),
          adjustments: listed('m'),
          movements: listed({ sku: 'MUG', movementID: 'm', missing: 1 })
        },
        keys: { changed: [], callersWithoutKey: [], valid: [] }
      } as Report
    )
    const text = lines.join('\n')
    assert.doesNotMatch(text, /(?<!of )\b3 \w+s (was|has|is)\b|\b1 \w+ (were|have|are)\b/)
    assert.match(text, count === 1 ? /reservations of 1 order released/ : /reservations of 3 orders released/)
    assert.match(text, count === 1 ? /level after 1 movement differs/ : /level after 3 movements differs/)
  })
}
