import fc from 'fast-check'
import { areFields, type HeaderField, type OutputRecord } from '../records.ts'

/** Arbitrary text, including lone surrogates, and arbitrary bytes, for keys and header values. */
export const anyText = fc.string({ unit: 'binary', maxLength: 200 })
export const anyBytes = fc.uint8Array({ maxLength: 200 }).map(array => Buffer.from(array))

/** Headers with distinct names. */
export const anyNamedHeaders = fc.dictionary(
  anyText.filter(name => name !== '__proto__'),
  fc.oneof(anyText, anyBytes),
  { maxKeys: 5, noNullPrototype: true }
)

/**
 * Headers in their most general form: names may repeat and need not be UTF-8, and values may be
 * null.
 */
export const anyFields: fc.Arbitrary<readonly HeaderField[]> = fc.array(
  fc.tuple(
    fc.oneof(fc.constantFrom('event-id', 'dlq-stage', 'dlq-headers'), anyText, anyBytes),
    fc.oneof(fc.constant(null), anyText, anyBytes)
  ),
  { maxLength: 8 }
)

/** Arbitrary record that can be written. */
export const anyRecord = (headers: fc.Arbitrary<OutputRecord['headers']> = fc.oneof(anyNamedHeaders, anyFields)) =>
  fc.record({
    topic: fc.constant('t'),
    key: fc.option(fc.oneof(anyText, anyBytes)),
    value: fc.option(anyBytes),
    headers,
    timestampMs: fc.integer({ min: 0, max: 4_000_000_000_000 })
  })

export const asBytes = (content: string | Buffer) => Buffer.from(content)

/** Returns the bytes of every header, in order. */
export function fieldsOf(headers: OutputRecord['headers']): [Buffer, Buffer | null][] {
  const fields = areFields(headers) ? headers : Object.entries(headers)
  return fields.map(([name, content]) => [asBytes(name), content === null ? null : asBytes(content)])
}
