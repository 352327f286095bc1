import { createHash } from 'node:crypto'

/** The parts of a change request that its id is computed from when its sender named it with an idempotency key. */
export interface KeyedRequest {
  /** The owner of the key. */
  readonly caller: string
  readonly key: string
  readonly orderID: string
  readonly change: string
}

/** Returns the id of a request with an idempotency key: the same for every attempt, from every instance. */
export function keyedRequestID({ caller, key, orderID, change }: KeyedRequest): string {
  return computedUUID('key', caller, key, orderID, change)
}

/** Returns the id of the request that ends a hold. It is sent until the hold is settled, and stays one request. */
export function expiryRequestID(orderID: string, holdUntilMs: number): string {
  return computedUUID('expiry', orderID, String(holdUntilMs))
}

/** Returns the id of a request whose record has none: `OrderChangeRequested` V1. */
export function unnamedRequestID(orderID: string, change: string, requestedAtMs: number): string {
  return computedUUID('unnamed', orderID, change, String(requestedAtMs))
}

/** A UUID of version 8 (RFC 9562): 122 bits of a SHA-256 of the parts. */
function computedUUID(...parts: readonly string[]): string {
  const bytes = createHash('sha256').update(JSON.stringify(parts)).digest().subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
