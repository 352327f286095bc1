import { encodedName } from '../header-names.ts'
import type { RecordHeaders } from '../records.ts'
import { readVarint, readVarintEnd } from './varint.ts'

/**
 * The headers of a fetched record, left in the bytes they came in until somebody asks: most are never asked for, and three
 * headers as pairs of buffers cost more than the rest of the record.
 */
export class FetchedHeaders implements RecordHeaders, Iterable<readonly [name: string, content: Buffer | null]> {
  readonly #bytes: Buffer
  readonly #start: number

  /** @param start where their number stands */
  constructor(bytes: Buffer, start: number) {
    this.#bytes = bytes
    this.#start = start
  }

  text(name: string): string | undefined {
    const start = this.#find(name)
    return start < 0 || contentBytes < 0 ? undefined : this.#bytes.toString('utf8', start, start + contentBytes)
  }

  has(name: string): boolean {
    return this.#find(name) >= 0
  }

  /** '' for content that is null. */
  toObject(): Record<string, string> {
    const headers: Record<string, string> = {}
    for (const [name, content] of this) headers[name] = content === null ? '' : content.toString()
    return headers
  }

  *[Symbol.iterator](): Generator<readonly [string, Buffer | null], void> {
    const bytes = this.#bytes
    let count = readVarint(bytes, this.#start)
    let position = readVarintEnd()
    for (; count > 0; count--) {
      const nameEnd = readContent(bytes, position)
      const name = bytes.toString('utf8', nameEnd - contentBytes, nameEnd)
      position = readContent(bytes, nameEnd)
      yield [name, contentBytes < 0 ? null : bytes.subarray(position - contentBytes, position)]
    }
  }

  /** @returns where the content of the first of this name begins, its length in `contentBytes`; -1 when there is none */
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

/** Of what was read last; -1 for null. Asked for afterwards, as a varint's end is: a pair for each would be garbage. */
let contentBytes = 0

/** @returns where it ends */
function readContent(bytes: Buffer, position: number): number {
  contentBytes = readVarint(bytes, position)
  return readVarintEnd() + Math.max(0, contentBytes)
}

function isAt(bytes: Buffer, start: number, wanted: Buffer): boolean {
  for (let index = 0; index < wanted.length; index++) if (bytes[start + index] !== wanted[index]) return false
  return true
}
