import { isUtf8 } from 'node:buffer'
import { KafkaError } from '../errors.ts'
import type { Codec } from '../records.ts'
import { UnreadableError, unwritable } from './unreadable-error.ts'

/** Codecs that need nothing but the value. */
const needsNothing = { isPrepared: () => true, prepare: async () => {} }

/**
 * Codec of values that are bytes. A decoded value is a copy, so it keeps no fetched batch in
 * memory.
 */
export const bytesCodec: Codec<Buffer> = {
  ...needsNothing,
  decode: (bytes, start = 0, end = bytes.length) => Buffer.from(bytes.subarray(start, end)),
  encode(event) {
    if (!Buffer.isBuffer(event)) throw unwritable(`a value must be a Buffer (got ${typeof event})`)
    return event
  }
}

/**
 * Codec of values that are text in UTF-8. Other bytes are an UnreadableError, because decoding
 * them would change them.
 */
export const stringCodec: Codec<string> = {
  ...needsNothing,
  decode: (bytes, start = 0, end = bytes.length) => readText(bytes, start, end),
  encode(event) {
    if (typeof event !== 'string') throw unwritable(`a value must be a string (got ${typeof event})`)
    return Buffer.from(event)
  }
}

/** Options of `jsonCodec`. */
export interface JSONCodecOptions<Event> {
  /**
   * Checks or converts a parsed value, for instance `schema.parse` of a validation library. An
   * error that it throws makes the record unreadable. By default any JSON is accepted as an event.
   */
  readonly parse?: (value: unknown) => Event
}

/** Creates a codec of values that are JSON in UTF-8. */
export function jsonCodec<Event>({ parse }: JSONCodecOptions<Event> = {}): Codec<Event> {
  return {
    ...needsNothing,
    decode(bytes, start = 0, end = bytes.length) {
      const value = parseJSON(readText(bytes, start, end))
      if (parse === undefined) return value as Event
      try {
        return parse(value)
      } catch (error) {
        throw error instanceof KafkaError
          ? error
          : new UnreadableError(`the JSON is invalid: ${messageOf(error)}`, error)
      }
    },
    encode: event => Buffer.from(toJSON(event))
  }
}

function readText(bytes: Buffer, start: number, end: number): string {
  if (!isUtf8(bytes.subarray(start, end))) throw new UnreadableError('the value is not text in UTF-8')
  return bytes.toString('utf8', start, end)
}

function parseJSON(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Without the error of JSON.parse, which quotes the value: it may be confidential.
    throw new UnreadableError(`the value is not JSON (${text.length} characters)`)
  }
}

function toJSON(event: unknown): string {
  let text: string | undefined
  try {
    text = JSON.stringify(event)
  } catch (error) {
    throw unwritable(`the event cannot be written as JSON: ${messageOf(error)}`, error)
  }
  if (text === undefined) throw unwritable(`the event cannot be written as JSON: it is of type ${typeof event}`)
  return text
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
