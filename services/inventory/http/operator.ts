import { reservedName } from '@orderly/callers'
import type { FastifyRequest } from 'fastify'

/**
 * Returns the namespace of the idempotency keys: the caller, or a shared one if authentication is
 * off.
 */
export function keysOwner({ caller }: FastifyRequest): string {
  return caller?.name ?? reservedName
}

/**
 * Returns the operator's name for movements: the caller, or the header `x-operator` if
 * authentication is off.
 */
export function operatorOf({ caller, headers }: FastifyRequest): string {
  if (caller !== undefined) return caller.name
  const name = headers['x-operator']
  return typeof name === 'string' ? name : reservedName
}
