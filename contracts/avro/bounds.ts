import type { Type, types } from 'avsc'
import { ContractError } from '../errors.ts'

/**
 * Position in the bytes of a record.
 *
 * avsc trusts every count and block size in the bytes, and detects reads past the end only
 * afterwards. A dozen bytes that announce an array of 2^40 items keep it busy for hours, so one
 * such record would block a consumer permanently. This module therefore walks the bytes by the
 * writer's schema before avsc decodes them.
 */
interface Cursor {
  readonly bytes: Buffer
  readonly end: number
  position: number
}

type Walk = (cursor: Cursor) => void

const MAX_VARINT_BYTES = 10

/**
 * Creates a check that the bytes from `position` to before `end` are exactly one datum of the type.
 * @returns a function that throws ContractError otherwise
 */
export function createBoundsCheck(type: Type): (bytes: Buffer, position: number, end: number) => void {
  const walk = walkOf(type, new Map())
  return (bytes, position, end) => {
    const cursor = { bytes, end, position }
    walk(cursor)
    if (cursor.position < end) {
      throw new ContractError(
        'RECORD_TRAILING_BYTES',
        `${end - cursor.position} bytes follow the end of the ${type.name ?? type.typeName}`
      )
    }
  }
}

function walkOf(type: Type, records: Map<Type, Walk>): Walk {
  switch (type.typeName) {
    case 'null':
      return () => {}
    case 'boolean':
      return cursor => advance(cursor, 1)
    case 'int':
      return walkInt
    case 'long':
      return walkLong
    case 'float':
      return cursor => advance(cursor, 4)
    case 'double':
      return cursor => advance(cursor, 8)
    case 'bytes':
    case 'string':
      return cursor => advance(cursor, readVarint(cursor))
    case 'fixed':
      return walkFixed((type as types.FixedType).size)
    case 'enum':
      return walkEnum((type as types.EnumType).symbols.length)
    case 'array':
      return walkBlocks(walkOf((type as types.ArrayType).itemsType, records))
    case 'map':
      return walkMap(walkOf((type as types.MapType).valuesType, records))
    case 'union:unwrapped':
    case 'union:wrapped':
      return walkUnion((type as types.UnwrappedUnionType).types.map(branch => walkOf(branch, records)))
    case 'record':
    case 'error':
      return walkRecord(type as types.RecordType, records)
    default:
      throw new Error(`Avro type ${type.typeName} is not supported`)
  }
}

function walkRecord(type: types.RecordType, records: Map<Type, Walk>): Walk {
  const known = records.get(type)
  if (known !== undefined) return known
  const fields: Walk[] = []
  const walk: Walk = cursor => {
    for (const field of fields) field(cursor)
  }
  records.set(type, walk)
  for (const field of type.fields) fields.push(walkOf(field.type, records))
  return walk
}

function walkFixed(sizeBytes: number): Walk {
  return cursor => advance(cursor, sizeBytes)
}

function walkEnum(symbols: number): Walk {
  return cursor => readIndex(cursor, symbols)
}

function walkUnion(branches: readonly Walk[]): Walk {
  return cursor => branches[readIndex(cursor, branches.length)]?.(cursor)
}

function walkMap(walkValue: Walk): Walk {
  return walkBlocks(cursor => {
    advance(cursor, readVarint(cursor))
    walkValue(cursor)
  })
}

/**
 * Walks the blocks of an array or map up to an empty block. A negative count is followed by the
 * size of the block in bytes.
 */
function walkBlocks(walkItem: Walk): Walk {
  return cursor => {
    for (let count = readVarint(cursor); count !== 0; count = readVarint(cursor)) {
      const sizeBytes = count < 0 ? readVarint(cursor) : undefined
      const start = cursor.position
      const items = Math.abs(count)
      // Items take at least one byte. Arrays of items without size (null, empty records) are
      // refused, too; no event has them.
      if (items > cursor.end - start) throw truncated()
      for (let item = 0; item < items; item++) walkItem(cursor)
      if (sizeBytes !== undefined && cursor.position - start !== sizeBytes) {
        throw invalid(`a block of ${sizeBytes} bytes took ${cursor.position - start}`)
      }
    }
  }
}

function walkInt(cursor: Cursor): void {
  const number = readVarint(cursor)
  if (number !== (number | 0)) throw invalid('an int does not fit 32 bits')
}

/**
 * Walks a long. Below -2^52 avsc loses a bit and returns the wrong sign; above 2^53 avsc itself
 * throws.
 */
function walkLong(cursor: Cursor): void {
  const negative = ((cursor.bytes[cursor.position] ?? 0) & 1) === 1
  const number = readVarint(cursor)
  if (negative !== number < 0 || number < -(2 ** 52)) throw invalid('a long is below -2^52 and cannot be read exactly')
}

function readIndex(cursor: Cursor, size: number): number {
  const index = readVarint(cursor)
  if (index < 0 || index >= size) throw invalid(`index ${index} of an enum or union with ${size} branches`)
  return index
}

function advance(cursor: Cursor, bytes: number): void {
  if (bytes < 0) throw invalid(`a negative length, ${bytes}`)
  cursor.position += bytes
  if (cursor.position > cursor.end) throw truncated()
}

/**
 * Reads a zigzag varint. Results beyond 2^53 are inexact, but still large enough to be refused as
 * lengths.
 */
function readVarint(cursor: Cursor): number {
  const { bytes, end } = cursor
  let position = cursor.position
  if (position >= end) throw truncated()
  let byte = bytes[position++] as number
  let zigzag = byte & 0x7f
  for (let scale = 128; byte & 0x80; scale *= 128) {
    if (position >= end) throw truncated()
    byte = bytes[position++] as number
    if (position - cursor.position > MAX_VARINT_BYTES) throw invalid('a number longer than 64 bits')
    zigzag += (byte & 0x7f) * scale
  }
  cursor.position = position
  return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
}

function truncated(): ContractError {
  return new ContractError('RECORD_TRUNCATED', 'the record ends before the end of the value that its schema requires')
}

function invalid(what: string): ContractError {
  return new ContractError('RECORD_INVALID', `the record is not valid Avro: ${what}`)
}
