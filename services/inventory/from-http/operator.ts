import type { FastifyRequest } from 'fastify'

/** Whose idempotency keys these are: everybody's, as long as callers do not prove who they are. */
export const onlyCaller = 'anyone'

/** Who changes stock, for its movements. Where callers have keys, theirs is the name to take, and the role to ask for. */
export function operatorOf({ headers }: FastifyRequest): string {
  const name = headers['x-operator']
  return typeof name === 'string' ? name : onlyCaller
}
