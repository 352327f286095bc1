import type { Codec } from '../records.ts'

/** Codec of values that are plain text. */
export const textCodec: Codec<string> = {
  isPrepared: () => true,
  prepare: async () => {},
  decode: (bytes, start, end) => bytes.toString('utf8', start, end),
  encode: text => Buffer.from(text)
}
