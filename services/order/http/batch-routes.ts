import { reserveQuota } from '@orderly/callers'
import { type Problem, ProblemError, readBody } from '@orderly/service-kit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import {
  type BatchOrder,
  BatchResult,
  batchBody,
  batchOrder,
  maxBatchBytes,
  ndjson,
  placeBatch
} from './batch-schema.ts'
import { type Place, refusalOf } from './order-routes.ts'
import { readArray, readLines } from './read-batch.ts'
import { linksTo } from './schema.ts'

export interface BatchRoutesOptions {
  readonly place: Place
  readonly orderCreatedVersion: number
}

type Result = Static<typeof BatchResult>

/**
 * Number of orders with keys that are placed concurrently. Each needs a few round trips to the
 * database, so a higher number would only lengthen the queue there.
 */
const keyedAtOnce = 16
/** Maximum number of invalid fields reported per order. It limits the answer for 500 orders. */
const maxErrors = 10

export function addBatchRoutes(http: FastifyInstance, { place, orderCreatedVersion }: BatchRoutesOptions): void {
  const orderSchema = batchOrder(orderCreatedVersion)
  http.addSchema(BatchResult)
  http.addSchema(orderSchema)

  // This scope alone accepts NDJSON: a single order in that type still gets 415.
  http.register((scope, _options, registered) => {
    scope.removeContentTypeParser('application/json')
    for (const [type, read] of [
      ['application/json', readArray],
      [ndjson, readLines]
    ] as const) {
      scope.addContentTypeParser(type, (request, payload, done) => {
        readBody(request, payload, (error, body) => {
          try {
            if (error !== null) throw error
            done(null, read(body))
          } catch (refusal) {
            done(refusal as Error)
          }
        })
      })
    }

    const route = {
      schema: placeBatch,
      bodyLimit: maxBatchBytes,
      config: { access: ['shop'] as const, describedAs: { body: batchBody } }
    }
    scope.post('/orders/batch', route, async (request, reply) => {
      const { traceparent } = request
      reply.header('traceparent', traceparent)
      if (request.headers['idempotency-key'] !== undefined) {
        const detail = 'A batch cannot have an `Idempotency-Key`. Give each of its orders a separate `idempotencyKey`.'
        throw new ProblemError(400, 'IDEMPOTENCY_KEY_NOT_ALLOWED', detail)
      }
      const isOrder = request.compileValidationSchema(orderSchema)
      const check = (given: unknown): BatchOrder => {
        if (given instanceof ProblemError) throw given
        if (!isOrder(given as object)) {
          throw Object.assign(new Error('invalid order'), { validation: isOrder.errors?.slice(0, maxErrors) })
        }
        return given as BatchOrder
      }
      const orders = request.body as unknown[]
      reserveQuota(request, reply, orders.length)
      return { results: await placeAll(orders, check, request) }
    })
    registered()
  })

  async function placeAll(
    orders: readonly unknown[],
    check: (given: unknown) => BatchOrder,
    request: FastifyRequest
  ): Promise<Result[]> {
    const context = { traceparent: request.traceparent, caller: request.caller?.name }
    const results: Result[] = []
    const keyed: { index: number; order: BatchOrder }[] = []
    const usedKeys = new Set<string>()
    const publishing: Promise<void>[] = []
    const placeAt = async (index: number, { idempotencyKey: key, ...command }: BatchOrder) => {
      results[index] = await resultOf(index, place(command, { key, ...context }), request)
    }
    for (const [index, given] of orders.entries()) {
      try {
        const order = check(given)
        if (order.idempotencyKey === undefined) publishing.push(placeAt(index, order))
        else if (usedKeys.has(order.idempotencyKey)) {
          const detail = 'Another order of this batch has the same key. Use a separate key for each order.'
          throw new ProblemError(409, 'IDEMPOTENCY_KEY_IN_USE', detail)
        } else {
          usedKeys.add(order.idempotencyKey)
          keyed.push({ index, order })
        }
      } catch (error) {
        results[index] = refusal(index, request.problemOf(error))
      }
    }
    const work = async () => {
      for (let next = keyed.shift(); next !== undefined; next = keyed.shift()) await placeAt(next.index, next.order)
    }
    await Promise.all([...publishing, ...Array.from({ length: keyedAtOnce }, work)])
    return results
  }

  async function resultOf(index: number, placing: ReturnType<Place>, request: FastifyRequest): Promise<Result> {
    try {
      const placement = await placing
      if (placement.kind !== 'placed') return refusal(index, request.problemOf(refusalOf(placement)))
      return { index, status: 202, orderID: placement.orderID, links: linksTo(placement.orderID) }
    } catch (error) {
      return refusal(index, request.problemOf(error))
    }
  }
}

function refusal(index: number, problem: Problem): Result {
  return { index, status: problem.status, problem }
}
