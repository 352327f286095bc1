import { readVarint, readVarintEnd } from './varint.ts'

/**
 * The headers of a fetched record, left in the bytes they came in until somebody asks: most are never asked for, and three
 * headers as pairs of buffers cost more than the rest of the record.
 */
export class FetchedHeaders implements Iterable<readonly [name: string, content: Buffer | null]> {
  readonly #bytes: Buffer
  readonly #start: number

  /** @param start where their number stands */
  constructor(bytes: Buffer, start: number) {
    this.#bytes = bytes
    this.#start = start
  }

  /** The first of this name, as text. */
  text(name: string): string | undefined {
    let found: string | undefined
    this.#walk((header, start, end) => {
      if (header !== name || end < start) return false
      found = this.#bytes.toString('utf8', start, end)
      return true
    })
    return found
  }

  has(name: string): boolean {
    let isThere = false
    this.#walk(header => {
      isThere = header === name
      return isThere
    })
    return isThere
  }

  /** All of them as text; of several with one name the last, and '' for none. */
  toObject(): Record<string, string> {
    const headers: Record<string, string> = {}
    this.#walk((name, start, end) => {
      headers[name] = end <= start ? '' : this.#bytes.toString('utf8', start, end)
      return false
    })
    return headers
  }

  [Symbol.iterator](): Iterator<readonly [string, Buffer | null]> {
    const pairs: [string, Buffer | null][] = []
    this.#walk((name, start, end) => {
      pairs.push([name, end < start ? null : this.#bytes.subarray(start, end)])
      return false
    })
    return pairs[Symbol.iterator]()
  }

  /** Until `visit` says that it has seen enough; `end` before `start` stands for null. */
  #walk(visit: (name: string, start: number, end: number) => boolean): void {
    const bytes = this.#bytes
    let count = readVarint(bytes, this.#start)
    let position = readVarintEnd()
    for (; count > 0; count--) {
      const nameBytes = readVarint(bytes, position)
      const nameStart = readVarintEnd()
      const nameEnd = nameStart + nameBytes
      const contentBytes = readVarint(bytes, nameEnd)
      const start = readVarintEnd()
      if (visit(nameAt(bytes, nameStart, nameEnd), start, start + contentBytes)) return
      position = contentBytes < 0 ? start : start + contentBytes
    }
  }
}

const longestKnown = 64
const mostKnown = 256
const known = new Map<number, { readonly bytes: Buffer; readonly text: string }>()

/** Topics have few names of headers, so a name is mostly one that was seen before. */
function nameAt(bytes: Buffer, start: number, end: number): string {
  const length = end - start
  if (length === 0 || length > longestKnown) return bytes.toString('utf8', start, end)
  const slot = length * 256 + (bytes[start] as number)
  const before = known.get(slot)
  if (before !== undefined && isSame(before.bytes, bytes, start)) return before.text
  const text = bytes.toString('utf8', start, end)
  if (known.size < mostKnown || before !== undefined) {
    known.set(slot, { bytes: Buffer.from(bytes.subarray(start, end)), text })
  }
  return text
}

function isSame(name: Buffer, bytes: Buffer, start: number): boolean {
  for (let index = 0; index < name.length; index++) if (name[index] !== bytes[start + index]) return false
  return true
}
