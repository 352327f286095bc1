import { ContractError } from '../errors.ts'

/**
 * Header size of the Confluent wire format: a zero byte and the schema id as a big-endian int32.
 * The Avro body follows.
 */
export const HEADER_BYTES = 5

/**
 * Returns the schema id of the value from `start` to before `end`, or undefined if it is not in
 * wire format.
 */
export function schemaIDAt(bytes: Buffer, start: number, end: number): number | undefined {
  return end - start < HEADER_BYTES || bytes[start] !== 0 ? undefined : bytes.readInt32BE(start + 1)
}

export function notInWireFormat(bytes: Buffer, start: number, end: number): ContractError {
  const beginning = bytes.subarray(start, Math.min(end, start + HEADER_BYTES)).toString('hex') || 'nothing'
  return new ContractError(
    'WIRE_FORMAT_INVALID',
    `not in Confluent wire format: expected a zero byte and a schema id, but the value starts with ${beginning}`
  )
}

export function writeHeader(value: Buffer, schemaID: number): void {
  value[0] = 0
  value.writeInt32BE(schemaID, 1)
}
