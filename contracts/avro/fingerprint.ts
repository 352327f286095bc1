import type { Type } from 'avsc'

/**
 * Header that names the schema of a value: the fingerprint of the schema's parsing canonical form,
 * as 16 hexadecimal digits. The schema id inside the value is valid in one registry only, until
 * that registry is emptied. The fingerprint identifies the same schema everywhere and permanently.
 *
 * The algorithm is CRC-64-AVRO of the Avro specification; the Java library computes it with
 * `SchemaNormalization.parsingFingerprint64`. 64 bits are enough to distinguish a few dozen
 * schemas, and 16 digits are shorter than the 64 of SHA-256. Resistance to forgery would not help,
 * because a principal that may write to a topic may name any schema.
 */
export const fingerprintHeader = 'schema-fingerprint'

const empty = 0xc15d213aa4d7a795n

const table = Array.from({ length: 256 }, (_, index) => {
  let fingerprint = BigInt(index)
  for (let bit = 0; bit < 8; bit++) fingerprint = (fingerprint >> 1n) ^ (empty & -(fingerprint & 1n))
  return fingerprint
})

/** Computes CRC-64-AVRO of the type's parsing canonical form. */
export function fingerprintOf(type: Type): string {
  let fingerprint = empty
  for (const byte of Buffer.from(JSON.stringify(type.schema()))) {
    fingerprint = (fingerprint >> 8n) ^ (table[Number((fingerprint ^ BigInt(byte)) & 0xffn)] as bigint)
  }
  return fingerprint.toString(16).padStart(16, '0')
}
