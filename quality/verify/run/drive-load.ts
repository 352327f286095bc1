import { setTimeout as delay } from 'node:timers/promises'
import { createOrderClient } from '@orderly/client'
import type { ChangeRequestBody, OrderRequest } from '../history/history.ts'
import { bodyOf, nextAttempt, type RequestPlan } from '../plan/load.ts'
import { requestChangeUntilKnown } from './drive-change-requests.ts'
import { pickURL } from './pick-url.ts'
import { reasonOf, reasonOfStatus } from './reason-of.ts'

export interface LoadDriver {
  /** Stops placing orders; resolves when all requests are answered or have no attempts left. */
  stop(): Promise<Driven>
}

export interface Driven {
  readonly requests: readonly OrderRequest[]
  readonly changeRequests: readonly ChangeRequestBody[]
}

/**
 * Places each order at its planned time, independent of the results of earlier ones.
 * @param onAccepted called with the planned id of a request that was accepted, and its order
 */
export function driveLoad(
  plan: Iterator<RequestPlan, unknown>,
  endpoints: () => readonly string[],
  onAccepted: (requestID: string, orderID: string) => void = () => {}
): LoadDriver {
  const requests: OrderRequest[] = []
  const changeRequests: ChangeRequestBody[] = []
  const inFlight = new Set<Promise<void>>()
  const stopping = new AbortController()
  const startedAtMs = Date.now()

  async function run(): Promise<void> {
    for (let next = plan.next(); next.done !== true && !stopping.signal.aborted; next = plan.next()) {
      const request = next.value
      await delay(Math.max(0, startedAtMs + request.atMs - Date.now()), undefined, stopping).catch(() => {})
      if (stopping.signal.aborted) return
      const work = placeUntilKnown(request)
      inFlight.add(work)
      void work.finally(() => inFlight.delete(work))
    }
  }

  async function placeUntilKnown(request: RequestPlan): Promise<void> {
    let attempt = request
    for (const [index, retryDelayMs] of [...(request.retryDelaysMs ?? []), undefined].entries()) {
      const placed = await placeOrder(attempt, endpoints())
      requests.push(placed)
      if (placed.result.kind === 'ok') {
        onAccepted(request.id, placed.result.orderID)
        await requestChanges(request, placed.result.orderID)
      }
      if (placed.result.kind !== 'unknown' || retryDelayMs === undefined) return
      await delay(retryDelayMs)
      attempt = nextAttempt(request, index + 1)
    }
  }

  async function requestChanges({ userID, changeRequests: plans = [] }: RequestPlan, orderID: string): Promise<void> {
    const made = await Promise.all(plans.map(plan => requestChangeUntilKnown({ orderID, userID }, plan, endpoints)))
    changeRequests.push(...made.flat())
  }

  const running = run()
  return {
    async stop() {
      stopping.abort()
      await running
      await Promise.all(inFlight)
      const bySending = (a: { sentAtMs: number }, b: { sentAtMs: number }) => a.sentAtMs - b.sentAtMs
      return { requests: requests.toSorted(bySending), changeRequests: changeRequests.toSorted(bySending) }
    }
  }
}

async function placeOrder(plan: RequestPlan, endpoints: readonly string[]): Promise<OrderRequest> {
  const sentAtMs = Date.now()
  const result = await ask(plan, endpoints)
  return { ...plan, sentAtMs, endedAtMs: Date.now(), result }
}

async function ask(plan: RequestPlan, endpoints: readonly string[]): Promise<OrderRequest['result']> {
  const url = pickURL(endpoints, plan.endpoint)
  if (url === undefined) return { kind: 'unknown', reason: 'no running instance' }
  try {
    // A raw request, because attempts are recorded one by one and some bodies are invalid on
    // purpose.
    const { status, headers, body } = await createOrderClient({ baseURL: url }).rawRequest({
      method: 'POST',
      path: '/orders',
      headers: {
        traceparent: `00-${plan.id}-00000000000000aa-01`,
        ...(plan.idempotencyKey !== undefined && { 'idempotency-key': plan.idempotencyKey }),
        ...(plan.waitSeconds !== undefined && { prefer: `wait=${plan.waitSeconds}` })
      },
      body: bodyOf(plan),
      timeoutMs: plan.patienceMs
    })
    if (status === 202) return { kind: 'ok', orderID: JSON.parse(body).orderID }
    if (status === 200) {
      const { orderID, status: shown } = JSON.parse(body)
      return { kind: 'ok', orderID, status: shown }
    }
    if (status === 409) return { kind: 'unknown', reason: 'another attempt is in flight' }
    // A service that is busy may accept the order later.
    const isTransient = status === 408 || status === 429
    if (status >= 400 && status < 500 && !isTransient) return { kind: 'failed', status }
    return { kind: 'unknown', reason: reasonOfStatus(status, headers) }
  } catch (error) {
    return { kind: 'unknown', reason: reasonOf(error) }
  }
}
