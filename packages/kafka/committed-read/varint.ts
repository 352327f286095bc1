/** Zigzag varints as records have them. Where one ended is asked for afterwards: a pair for each would be garbage, a dozen times a record. */
let end = 0

export function readVarint(bytes: Buffer, start: number): number {
  let position = start
  let byte = bytes[position++] as number
  let value = byte & 0x7f
  for (let scale = 0x80; byte >= 0x80; scale *= 0x80) {
    byte = bytes[position++] as number
    if (byte === undefined) throw new RangeError('a number runs over the end of its batch')
    value += (byte & 0x7f) * scale
  }
  end = position
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}

/** Behind the number that was read last. */
export function readVarintEnd(): number {
  return end
}
