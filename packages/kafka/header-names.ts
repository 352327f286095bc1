/** Programs use few names of headers; what others make up is encoded each time, so that they cannot fill the memory. */
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
