/**
 * End position of the last varint (zigzag, as in the record format), returned through
 * `readVarintEnd()`. A tuple per call would be garbage, a dozen times per record.
 */
let end = 0

export function readVarint(bytes: Buffer, start: number): number {
  let position = start
  let byte = bytes[position++] as number
  let value = byte & 0x7f
  for (let scale = 0x80; byte >= 0x80; scale *= 0x80) {
    byte = bytes[position++] as number
    if (byte === undefined) throw new RangeError('a number extends past the end of its batch')
    value += (byte & 0x7f) * scale
  }
  end = position
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}

/** Returns the position after the varint that was read last. */
export function readVarintEnd(): number {
  return end
}
