import fc from 'fast-check'

/** Any text, lone surrogates and all, and any bytes, for keys and the contents of headers. */
export const anyText = fc.string({ unit: 'binary', maxLength: 200 })
export const anyBytes = fc.uint8Array({ maxLength: 200 }).map(array => Buffer.from(array))

type Headers = Record<string, string | Buffer>

/** Any record that can be written. */
export const anyRecord = (headers: fc.Arbitrary<Headers>) =>
  fc.record({
    topic: fc.constant('t'),
    key: fc.oneof(anyText, anyBytes),
    value: fc.option(anyBytes),
    headers,
    timestampMs: fc.integer({ min: 0, max: 4_000_000_000_000 })
  })

export const asBytes = (content: string | Buffer) => Buffer.from(content)
