import { ContractError } from '../errors.ts'

/** Confluent wire format: byte 0 is 0, then the schema id as a big-endian int32, then the Avro body. */
export const HEADER_BYTES = 5

/** @returns undefined for a value from `start` to before `end` that is not in this format */
export function schemaIDAt(bytes: Buffer, start: number, end: number): number | undefined {
  return end - start < HEADER_BYTES || bytes[start] !== 0 ? undefined : bytes.readInt32BE(start + 1)
}

export function notInWireFormat(bytes: Buffer, start: number, end: number): ContractError {
  const beginning = bytes.subarray(start, Math.min(end, start + HEADER_BYTES)).toString('hex') || 'nothing'
  return new ContractError(
    'WIRE_FORMAT_INVALID',
    `not in Confluent wire format: a zero byte and a schema id were expected, the value begins with ${beginning}`
  )
}

export function writeHeader(value: Buffer, schemaID: number): void {
  value[0] = 0
  value.writeInt32BE(schemaID, 1)
}
