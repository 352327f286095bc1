import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { childTraceparent, newTraceparent, parseTraceparent, traceFields } from './trace-context.ts'

const example = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

test('the example of the specification is parsed', () => {
  assert.deepEqual(parseTraceparent(example), {
    traceID: '0af7651916cd43dd8448eb211c80319c',
    spanID: 'b7ad6b7169203331',
    flags: '01'
  })
})

test('texts that the specification forbids are rejected', () => {
  const zeros = '0'.repeat(32)
  const forbidden = [
    undefined,
    '',
    'ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    `00-${zeros}-b7ad6b7169203331-01`,
    `00-0af7651916cd43dd8448eb211c80319c-${zeros.slice(16)}-01`,
    example.toUpperCase(),
    `${example}-extra`,
    `${example}\n`,
    ` ${example}`,
    `${example}, ${example}`,
    `01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.extra`,
    `cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-${'x'.repeat(1_000)}`
  ]
  for (const text of forbidden) assert.equal(parseTraceparent(text), undefined, text)
})

test('the known parts of a later version are parsed', () => {
  const later = 'cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-what-comes-then'
  assert.equal(parseTraceparent(later)?.flags, '01')
  assert.match(childTraceparent(later), /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/)
})

test('a child keeps the trace id and the flags and gets a new span id', () => {
  const child = parseTraceparent(childTraceparent(example.replace(/01$/, '00')))
  assert.equal(child?.traceID, '0af7651916cd43dd8448eb211c80319c')
  assert.notEqual(child?.spanID, 'b7ad6b7169203331')
  assert.equal(child?.flags, '00')
})

test('the child of any text is a valid traceparent', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.constant(undefined), fc.stringMatching(/^[0-9a-f-]{50,60}$/)), text => {
      assert.ok(parseTraceparent(childTraceparent(text)))
    })
  )
})

test('a child keeps the trace of a valid parent only, for any change of one character', () => {
  const characters = fc.constantFrom(...'0af-g:/ \nAF`', '\u0161', '\u0130', '\ud800')
  const ids = fc.constantFrom(example, `00-${'0'.repeat(31)}1-${'0'.repeat(15)}1-00`)
  fc.assert(
    fc.property(ids, fc.nat(54), characters, (text, position, character) => {
      const changed = text.slice(0, position) + character + text.slice(position + 1)
      const child = parseTraceparent(childTraceparent(changed))
      const parent = parseTraceparent(changed)
      if (parent === undefined) assert.ok(!changed.includes(child?.traceID ?? ''))
      else assert.deepEqual([child?.traceID, child?.flags], [parent.traceID, parent.flags])
      assert.notEqual(child?.spanID, parent?.spanID)
    })
  )
})

test('new trace ids are unique', () => {
  const traces = new Set(Array.from({ length: 10_000 }, () => newTraceparent().slice(3, 35)))
  assert.equal(traces.size, 10_000)
})

test('log fields contain trace and span id, or nothing for an invalid traceparent', () => {
  assert.deepEqual(traceFields(example), { traceID: '0af7651916cd43dd8448eb211c80319c', spanID: 'b7ad6b7169203331' })
  assert.deepEqual(traceFields('rubbish'), {})
})
