import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatStock, parseStock, stockColumns } from './read-stock-file.ts'

const parse = (...lines: string[]) => [...parseStock(lines.join('\n'), 'stock.csv')]

test('SKUs and their pieces are read, with quotes, blanks, empty lines, byte order mark and Windows line ends', () => {
  assert.deepEqual(parse('\uFEFFsku,available\r', 'MUG-WHITE,12\r', '', ' TEA , 0', '"a ""b"", c",7', ''), [
    ['MUG-WHITE', { available: 12 }],
    ['TEA', { available: 0 }],
    ['a "b", c', { available: 7 }]
  ])
})

test('a file with the column onHand is a count of the shelf', () => {
  assert.deepEqual(parse('sku,onHand', 'MUG-WHITE,12'), [['MUG-WHITE', { onHand: 12 }]])
})

test('a wrong file is refused, naming the line', () => {
  const refused = (message: RegExp, ...lines: string[]) =>
    assert.throws(() => parse(...lines), { code: 'STOCK_FILE_INVALID', message })
  refused(/^stock\.csv:1: expected the header "sku,onHand" or "sku,available"/, 'MUG-WHITE,12')
  refused(/^stock\.csv:3: .*"TEA;5"/, 'sku,available', 'MUG,1', 'TEA;5')
  refused(/^stock\.csv:2: expected a SKU/, 'sku,available', 'MUG,-1')
  refused(/^stock\.csv:2: expected a SKU/, 'sku,available', 'MUG,1.5')
  refused(/^stock\.csv:2: .* too many/, 'sku,available', 'MUG,9007199254740993')
  refused(/^stock\.csv:4: the SKU MUG stands here a second time/, 'sku,available', 'MUG,1', '', 'MUG,2')
})

test('what is written is read again as it was', () => {
  const pieces = new Map([
    ['TEA', 12],
    ['a "quoted" SKU, with a comma', 0],
    ['💎', 9_007_199_254_740_991]
  ])
  for (const column of stockColumns) {
    const expected = Array.from(pieces, ([sku, count]) => [sku, { [column]: count }])
    assert.deepEqual([...parseStock(formatStock(column, pieces), 'stock.csv')], expected)
    assert.deepEqual(parseStock(formatStock(column, []), 'stock.csv'), new Map())
  }
})
