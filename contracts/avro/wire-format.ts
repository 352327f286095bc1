import { ContractError } from '../errors.ts'

/** Confluent wire format: byte 0 is 0, then the schema id as a big-endian int32, then the Avro body. */
export const HEADER_BYTES = 5

/** @throws ContractError `WIRE_FORMAT_INVALID` */
export function readSchemaID(value: Buffer): number {
  if (value.length < HEADER_BYTES || value[0] !== 0) {
    const start = value.subarray(0, HEADER_BYTES).toString('hex') || 'nothing'
    throw new ContractError(
      'WIRE_FORMAT_INVALID',
      `not in Confluent wire format: a zero byte and a schema id were expected, the value begins with ${start}`
    )
  }
  return value.readInt32BE(1)
}

export function writeHeader(value: Buffer, schemaID: number): void {
  value[0] = 0
  value.writeInt32BE(schemaID, 1)
}
