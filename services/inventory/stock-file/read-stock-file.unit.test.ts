import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseStock, stockColumns, stockHeader, stockLine } from './read-stock-file.ts'

const parseLines = (lines: readonly string[]) => [...parseStock(Buffer.from(lines.join('\n')), 'stock.csv')]
const parse = (...lines: string[]) => parseLines(lines)

test('quotes, blanks, empty lines, a byte order mark and Windows line ends are parsed', () => {
  assert.deepEqual(parse('\uFEFFsku,available\r', 'MUG-WHITE,12\r', '', ' TEA , 0', '"a ""b"", c",7', ''), [
    ['MUG-WHITE', { available: 12 }],
    ['TEA', { available: 0 }],
    ['a "b", c', { available: 7 }]
  ])
})

test('a file with the column onHand gives counts of the shelf', () => {
  assert.deepEqual(parse('sku,onHand', 'MUG-WHITE,12'), [['MUG-WHITE', { onHand: 12 }]])
})

test('an invalid file is refused with the number of the line', () => {
  const refused = (message: RegExp, ...lines: string[]) =>
    assert.throws(() => parse(...lines), { code: 'STOCK_FILE_INVALID', message })
  refused(/^stock\.csv:1: expected the header "sku,onHand" or "sku,available"/, 'MUG-WHITE,12')
  refused(/^stock\.csv:3: .*"TEA;5"/, 'sku,available', 'MUG,1', 'TEA;5')
  refused(/^stock\.csv:2: expected a SKU/, 'sku,available', 'MUG,-1')
  refused(/^stock\.csv:2: expected a SKU/, 'sku,available', 'MUG,1.5')
  refused(
    /^stock\.csv:2: the number of pieces must be at most 9007199254740991/,
    'sku,available',
    'MUG,9007199254740993'
  )
  refused(/^stock\.csv:4: duplicate SKU MUG/, 'sku,available', 'MUG,1', '', 'MUG,2')
})

test('line length and row count are limited, and an error shows only the beginning of the line', () => {
  const refused = (message: RegExp, lines: string[]) =>
    assert.throws(() => parseLines(['sku,available', ...lines]), { message })
  refused(/^stock\.csv:2: the line is longer than 1000 bytes: shorten it$/, ['x'.repeat(1_001)])
  refused(/^stock\.csv:2: .{0,200}$/, ['x'.repeat(1_000)])
  const rows = Array.from({ length: 100_001 }, (_, index) => `${index},1`)
  refused(/^stock\.csv:100002: the file has more than 100000 SKUs: split it$/, rows)
  assert.equal(parseLines(['sku,available', ...rows.slice(1)]).length, 100_000)
})

test('every SKU that is written is parsed unchanged', () => {
  const pieces = new Map([
    ['TEA', 12],
    ['a "quoted" SKU, with a comma', 0],
    ['💎', 9_007_199_254_740_991],
    ...['=1+1', '+1', '-1', '@SUM(1)', '\uff1d1+1', "'=1", "'quoted'", '="a",b'].map(sku => [sku, 1] as const)
  ])
  for (const column of stockColumns) {
    const expected = Array.from(pieces, ([sku, count]) => [sku, { [column]: count }])
    const lines = Array.from(pieces, ([sku, count]) => stockLine(sku, count))
    assert.deepEqual([...parseStock(Buffer.from(stockHeader(column) + lines.join('')), 'stock.csv')], expected)
    assert.deepEqual(parseStock(Buffer.from(stockHeader(column)), 'stock.csv'), new Map())
  }
})

test('no SKU is written as a formula', () => {
  for (const sku of ['=1+1', '+1', '-1', '@SUM(1)', '\uff1d1+1', '=HYPERLINK("http://evil.example","a")', '\t=1']) {
    assert.match(stockLine(sku, 1), /^"?'/, sku)
  }
  assert.deepEqual(parse('sku,available', "'=1+1,1", "'plain,2"), [
    ['=1+1', { available: 1 }],
    ["'plain", { available: 2 }]
  ])
})
