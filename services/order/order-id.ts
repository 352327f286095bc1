import { pooledRandomBytes } from '@orderly/service-kit'
import { v7 } from 'uuid'

/**
 * Returns a UUID version 7 (RFC 9562). Ids of different milliseconds sort by time, so indexes on
 * them grow at one end.
 */
export function newOrderID(): string {
  return v7({ random: pooledRandomBytes(16) })
}
