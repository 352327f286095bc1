/**
 * An element type of Postgres' binary array format (`array_send`,
 * src/backend/utils/adt/arrayfuncs.c): element type, count, and each element after its length. pg
 * sends arrays as text, which the client quotes and Postgres parses, element by element. For a row
 * of eleven columns, text takes twice the CPU time in the client and a third more in Postgres.
 */
interface ElementType {
  readonly oid: number
  /** Returns the size of an element in bytes. */
  size(value: never): number
  write(into: Buffer, at: number, value: never): void
}

const integer: ElementType = {
  oid: 23,
  size: () => 4,
  write: (into, at, value: number) => into.writeInt32BE(value, at)
}

const bigint: ElementType = {
  oid: 20,
  size: () => 8,
  write(into, at, value: number) {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a safe integer`)
    const high = Math.floor(value / 2 ** 32)
    into.writeInt32BE(high, at)
    into.writeUInt32BE(value - high * 2 ** 32, at + 4)
  }
}

const float8: ElementType = {
  oid: 701,
  size: () => 8,
  write: (into, at, value: number) => into.writeDoubleBE(value, at)
}

const text: ElementType = {
  oid: 25,
  size: (value: string) => Buffer.byteLength(value),
  write: (into, at, value: string) => into.write(value, at)
}

/** JSON text after a byte with the format version, 1. */
const jsonb: ElementType = {
  oid: 3802,
  size: (value: string) => 1 + Buffer.byteLength(value),
  write(into, at, value: string) {
    into[at] = 1
    into.write(value, at + 1)
  }
}

const elementTypes = { integer, bigint, float8, text, jsonb }
export type ElementName = keyof typeof elementTypes

export function isElementName(name: string): name is ElementName {
  return Object.hasOwn(elementTypes, name)
}

const headerSize = 20

/**
 * Encodes a one-dimensional array with the lower bound 1. null and undefined become NULL.
 *
 * @throws RangeError when an integer does not fit its type
 */
export function binaryArray(name: ElementName, values: readonly unknown[]): Buffer {
  const { oid, size, write }: ElementType = elementTypes[name]
  const sizes = values.map(value => (value === null || value === undefined ? -1 : size(value as never)))
  const array = Buffer.allocUnsafe(sizes.reduce((total, size) => total + 4 + Math.max(size, 0), headerSize))
  const [dimensions, hasNull, firstIndex] = [values.length === 0 ? 0 : 1, sizes.includes(-1) ? 1 : 0, 1]
  let at = 0
  for (const number of [dimensions, hasNull, oid, values.length, firstIndex]) at = array.writeInt32BE(number, at)
  values.forEach((value, index) => {
    const size = sizes[index] as number
    at = array.writeInt32BE(size, at)
    if (size < 0) return
    write(array, at, value as never)
    at += size
  })
  return values.length === 0 ? array.subarray(0, 12) : array
}
