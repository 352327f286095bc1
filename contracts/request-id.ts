import { createHash } from 'node:crypto'

/** The parts of a change request with an idempotency key, from which its id is computed. */
export interface KeyedRequest {
  /** Owner of the key. */
  readonly caller: string
  readonly key: string
  readonly orderID: string
  readonly change: string
}

/**
 * Returns the id of a request with an idempotency key. It is the same for every attempt at every
 * instance.
 */
export function keyedRequestID({ caller, key, orderID, change }: KeyedRequest): string {
  return computedUUID('key', caller, key, orderID, change)
}

/**
 * Returns the id of the request that expires a hold. The request may be sent repeatedly and keeps
 * its id.
 */
export function expiryRequestID(orderID: string, holdUntilMs: number): string {
  return computedUUID('expiry', orderID, String(holdUntilMs))
}

/** Returns the id of a request whose record has no id (`OrderChangeRequested` V1). */
export function unnamedRequestID(orderID: string, change: string, requestedAtMs: number): string {
  return computedUUID('unnamed', orderID, change, String(requestedAtMs))
}

/** Computes a UUID of version 8 (RFC 9562) from 122 bits of the SHA-256 of the parts. */
function computedUUID(...parts: readonly string[]): string {
  const bytes = createHash('sha256').update(JSON.stringify(parts)).digest().subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
