import { ProblemError } from '@orderly/service-kit'
import type { FastifyReply } from 'fastify'
import type { Placement } from '../domain/placement.ts'

/** @throws ProblemError 409 or 422 unless the order was placed */
export function assertPlaced(
  placement: Placement,
  reply: FastifyReply
): asserts placement is Extract<Placement, { kind: 'placed' }> {
  if (placement.kind === 'in-flight') reply.header('retry-after', Math.ceil(placement.retryAfterMs / 1_000))
  const refusal = refusalOf(placement)
  if (refusal !== undefined) throw refusal
}

export function refusalOf({ kind }: Placement): ProblemError | undefined {
  if (kind === 'in-flight') {
    const detail = 'Another request with this idempotency key is in flight. Try again later.'
    return new ProblemError(409, 'IDEMPOTENCY_KEY_IN_USE', detail)
  }
  if (kind === 'key-conflict') {
    const detail = 'This idempotency key belongs to another order. Use a separate key for each order.'
    return new ProblemError(422, 'IDEMPOTENCY_KEY_REUSED', detail)
  }
  return undefined
}
