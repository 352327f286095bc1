import { reservedName } from '@orderly/callers'
import type { FastifyRequest } from 'fastify'

/** Whose idempotency keys these are: where callers do not prove who they are, everybody's. */
export function keysOwner({ caller }: FastifyRequest): string {
  return caller?.name ?? reservedName
}

/** Who changes stock, for its movements. Only where nobody has to prove who they are, the request is believed. */
export function operatorOf({ caller, headers }: FastifyRequest): string {
  if (caller !== undefined) return caller.name
  const name = headers['x-operator']
  return typeof name === 'string' ? name : reservedName
}
