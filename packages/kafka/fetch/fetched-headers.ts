import { encodedName, type RecordHeaders } from '../records.ts'
import { readVarint, readVarintEnd } from './varint.ts'

/**
 * The headers of a fetched record, parsed on demand. Most are never read, and three headers as
 * pairs of buffers cost more than the rest of the record.
 */
export class FetchedHeaders implements RecordHeaders, Iterable<readonly [name: Buffer, content: Buffer | null]> {
  readonly #bytes: Buffer
  readonly #start: number
  /** Position of the last header; -1 without headers. */
  readonly #last: number
  readonly end: number

  /**
   * @param start position of the number of headers
   * @param end end of the record
   * @throws RangeError when the headers do not end with their record
   */
  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes
    this.#start = start
    this.end = end
    let last = -1
    let count = readVarint(bytes, start)
    let position = readVarintEnd()
    for (; count > 0 && position < end; count--) {
      last = position
      position = readContent(bytes, readContent(bytes, position))
    }
    if (count !== 0 || position !== end) throw new RangeError('the headers do not end at the end of their record')
    this.#last = last
  }

  text(name: string): string | undefined {
    const start = this.#find(name)
    return start < 0 || contentBytes < 0 ? undefined : this.#bytes.toString('utf8', start, start + contentBytes)
  }

  /** Returns true if a header has this name. */
  has(name: string): boolean {
    return this.#find(name) >= 0
  }

  equals(name: string, content: Buffer): boolean {
    const start = this.#find(name)
    return start >= 0 && contentBytes === content.length && isAt(this.#bytes, start, content)
  }

  /** Returns all headers as text, with '' for a null value. */
  toObject(): Record<string, string> {
    const headers: Record<string, string> = {}
    for (const [name, content] of this) headers[name.toString()] = content === null ? '' : content.toString()
    return headers
  }

  /** Returns the text of the last header if it has this name. */
  textOfLast(name: string): string | undefined {
    if (this.#last < 0) return undefined
    const bytes = this.#bytes
    const wanted = encodedName(name)
    const nameEnd = readContent(bytes, this.#last)
    if (contentBytes !== wanted.length || !isAt(bytes, nameEnd - contentBytes, wanted)) return undefined
    const end = readContent(bytes, nameEnd)
    return contentBytes < 0 ? undefined : bytes.toString('utf8', end - contentBytes, end)
  }

  /** Yields every header as bytes, in order. */
  *[Symbol.iterator](): Generator<readonly [Buffer, Buffer | null], void> {
    const bytes = this.#bytes
    let count = readVarint(bytes, this.#start)
    let position = readVarintEnd()
    for (; count > 0; count--) {
      const nameEnd = readContent(bytes, position)
      const name = bytes.subarray(nameEnd - Math.max(0, contentBytes), nameEnd)
      position = readContent(bytes, nameEnd)
      yield [name, contentBytes < 0 ? null : bytes.subarray(position - contentBytes, position)]
    }
  }

  /**
   * Returns the position of the content of the first header with this name, with its length in
   * `contentBytes`; -1 if there is none.
   */
  #find(name: string): number {
    const wanted = encodedName(name)
    const bytes = this.#bytes
    let count = readVarint(bytes, this.#start)
    let position = readVarintEnd()
    for (; count > 0; count--) {
      const nameEnd = readContent(bytes, position)
      const isWanted = contentBytes === wanted.length && isAt(bytes, nameEnd - contentBytes, wanted)
      position = readContent(bytes, nameEnd)
      if (isWanted) return position - Math.max(0, contentBytes)
    }
    return -1
  }
}

/**
 * Length of the content that was read last; -1 for null. A module variable instead of a return
 * value, to avoid allocating a pair per call.
 */
let contentBytes = 0

/** Reads the length of a content and returns the position of its end. */
function readContent(bytes: Buffer, position: number): number {
  contentBytes = readVarint(bytes, position)
  return readVarintEnd() + Math.max(0, contentBytes)
}

function isAt(bytes: Buffer, start: number, wanted: Buffer): boolean {
  for (let index = 0; index < wanted.length; index++) if (bytes[start + index] !== wanted[index]) return false
  return true
}
