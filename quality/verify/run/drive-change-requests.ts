import { setTimeout as delay } from 'node:timers/promises'
import { createOrderClient } from '@orderly/client'
import type { ChangeRequestBody } from '../history/history.ts'
import { type ChangePlan, nextID } from '../plan/load.ts'
import { pickURL } from './pick-url.ts'
import { reasonOf, reasonOfStatus } from './reason-of.ts'

/** The order to cancel or confirm. */
export interface RequestedOrder {
  readonly orderID: string
  readonly userID: string
}

const patienceMs = 12_000

/**
 * Sends a cancel or confirmation until its result is known, each time with a new id.
 * @returns all attempts
 */
export async function requestChangeUntilKnown(
  { orderID, userID }: RequestedOrder,
  { id, changeRequest, afterMs, endpoint, waitSeconds, retryDelaysMs }: ChangePlan,
  endpoints: () => readonly string[]
): Promise<ChangeRequestBody[]> {
  const attempts: ChangeRequestBody[] = []
  for (const [index, delayMs] of [afterMs, ...retryDelaysMs].entries()) {
    await delay(delayMs)
    const attemptID = index === 0 ? id : nextID(id, index)
    const url = pickURL(endpoints(), endpoint)
    const sentAtMs = Date.now()
    const result = await ask(url, `/orders/${orderID}/${changeRequest}`, attemptID, waitSeconds)
    attempts.push({ id: attemptID, changeRequest, orderID, userID, sentAtMs, endedAtMs: Date.now(), result })
    if (result.kind !== 'unknown') break
  }
  return attempts
}

async function ask(
  url: string | undefined,
  path: string,
  id: string,
  waitSeconds: number | undefined
): Promise<ChangeRequestBody['result']> {
  if (url === undefined) return { kind: 'unknown', reason: 'no running instance' }
  try {
    const { status, headers, body } = await createOrderClient({ baseURL: url }).rawRequest({
      method: 'POST',
      path,
      headers: {
        traceparent: `00-${id}-00000000000000aa-01`,
        ...(waitSeconds !== undefined && { prefer: `wait=${waitSeconds}` })
      },
      timeoutMs: patienceMs
    })
    if (status === 202) return { kind: 'asked' }
    if (status === 200) return { kind: 'fulfilled', status: JSON.parse(body).status }
    if (status === 409 && !headers.has('retry-after')) return { kind: 'refused', code: JSON.parse(body).code }
    return { kind: 'unknown', reason: reasonOfStatus(status, headers) }
  } catch (error) {
    return { kind: 'unknown', reason: reasonOf(error) }
  }
}
