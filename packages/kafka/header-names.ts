/**
 * Maximum number of cached header names. Programs use few; names made up by others must not fill
 * the memory, so they are encoded each time.
 */
const mostKept = 256
const encoded = new Map<string, Buffer>()

export function encodedName(name: string): Buffer {
  let bytes = encoded.get(name)
  if (bytes === undefined) {
    bytes = Buffer.from(name)
    if (encoded.size < mostKept) encoded.set(name, bytes)
  }
  return bytes
}
