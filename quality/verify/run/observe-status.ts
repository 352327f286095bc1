import { setTimeout as delay } from 'node:timers/promises'
import type { ListPage, ListRead, StatusRead, StatusReads, StreamEvent, StreamRead } from '../history/status-reads.ts'
import { type ListPlan, planLists, planStatusReads, type StatusPlan } from '../plan/status-reads.ts'
import { readEventStream } from './event-stream.ts'
import { pickURL } from './pick-url.ts'
import { reasonOf, reasonOfStatus } from './reason-of.ts'

/**
 * Clients that read the status of orders during a run: they poll orders, read lists page by page,
 * and follow streams, which they close and resume on other instances. A share of the accepted orders
 * is followed from its acceptance on. At the end, the lists of all users show every order.
 *
 * Each answer becomes an observation with the time of its request and the time of its end. The
 * checker compares observations of which one ended before the other one began.
 */
export interface StatusObserver {
  /** Follows an order that was accepted, if the plan says so. */
  follow(requestID: string, orderID: string): void
  /** Ends all reads that are in flight, except their last request. */
  stop(): Promise<void>
  /** Reads the complete list of each user. Requires that everything is processed. */
  readFinalLists(signal: AbortSignal): Promise<void>
  readonly observed: StatusReads
}

export interface StatusObserverOptions {
  readonly seed: number
  readonly users: readonly string[]
  /** Returns the base URLs of the running instances of the order service. */
  readonly endpoints: () => readonly string[]
}

const patienceMs = 12_000
/** Delay before a stream is opened again after the service closed it or refused it. */
const reopenMs = 200
const finalPageSize = 100
const finalAttempts = 20

export function observeStatus({ seed, users, endpoints }: StatusObserverOptions): StatusObserver {
  const reads: StatusRead[] = []
  const lists: ListRead[] = []
  const streams: StreamRead[] = []
  const stopping = new AbortController()
  const inFlight = new Set<Promise<void>>()

  function start(work: Promise<void>): void {
    // Delays are aborted at the end.
    const ended = work.catch(error => {
      if (!stopping.signal.aborted) throw error
    })
    inFlight.add(ended)
    void ended.finally(() => inFlight.delete(ended))
  }

  async function poll(orderID: string, polls: Extract<StatusPlan, { kind: 'polls' }>['polls']): Promise<void> {
    for (const { delayMs, endpoint } of polls) {
      await delay(delayMs, undefined, stopping)
      const sentAtMs = Date.now()
      const result = await readStatus(pickURL(endpoints(), endpoint), orderID)
      reads.push({ orderID, sentAtMs, endedAtMs: Date.now(), result })
    }
  }

  async function followStream(orderID: string, plan: Extract<StatusPlan, { kind: 'stream' }>): Promise<void> {
    const { until, connections } = plan
    const events: StreamEvent[] = []
    const failures: string[] = []
    let opened = 0
    let overAtMs: number | undefined
    for (const { openMs, endpoint } of connections) {
      if (stopping.signal.aborted) break
      const closing = AbortSignal.any([AbortSignal.timeout(openMs), stopping.signal])
      const ended = await readStream({ url: pickURL(endpoints(), endpoint), orderID, until, closing }, events)
      if (ended.isOpened) opened++
      if (ended.kind === 'over') {
        overAtMs = Date.now()
        break
      }
      if (ended.kind === 'failed') failures.push(ended.reason)
      if (ended.kind !== 'closed by the client') await delay(reopenMs, undefined, stopping).catch(() => {})
    }
    streams.push({ orderID, until, events, connections: opened, failures, ...(overAtMs !== undefined && { overAtMs }) })
  }

  async function readLists(): Promise<void> {
    for (const plan of planLists(seed, users)) {
      await delay(plan.afterMs, undefined, stopping)
      lists.push(await readList(plan))
    }
  }

  async function readList({ userID, limit, endpoint }: Omit<ListPlan, 'afterMs'>): Promise<ListRead> {
    const pages: ListPage[] = []
    const query = new URLSearchParams({ userID, limit: String(limit) })
    for (let number = endpoint; ; number++) {
      const sentAtMs = Date.now()
      const answer = await ask(pickURL(endpoints(), number), `/orders?${query}`)
      if ('reason' in answer) return { userID, pages, isComplete: false, failure: answer.reason }
      if (answer.status !== 200) {
        return { userID, pages, isComplete: false, failure: reasonOfStatus(answer.status, answer.headers) }
      }
      const { orders, nextCursor } = JSON.parse(answer.body) as { orders: OrderAnswer[]; nextCursor?: string }
      const seen = orders.map(({ orderID, status }) => ({ orderID, status }))
      pages.push({ sentAtMs, endedAtMs: Date.now(), orders: seen })
      if (nextCursor === undefined) return { userID, pages, isComplete: true }
      query.set('cursor', nextCursor)
    }
  }

  start(readLists())
  return {
    follow(requestID, orderID) {
      const plan = planStatusReads(seed, requestID)
      if (plan?.kind === 'polls') start(poll(orderID, plan.polls))
      if (plan?.kind === 'stream') start(followStream(orderID, plan))
    },
    async stop() {
      stopping.abort()
      await Promise.all(inFlight)
    },
    async readFinalLists(signal) {
      for (const [index, userID] of users.entries()) {
        let list: ListRead | undefined
        for (let attempt = 0; attempt < finalAttempts && list?.isComplete !== true; attempt++) {
          if (attempt > 0) await delay(reopenMs * attempt, undefined, { signal })
          list = await readList({ userID, limit: finalPageSize, endpoint: index + attempt })
        }
        if (list !== undefined) lists.push({ ...list, isFinal: true })
      }
    },
    observed: { reads, lists, streams }
  }
}

interface OrderAnswer {
  readonly orderID: string
  readonly status: string
}

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/** Sends one GET request. Returns the reason why it has no answer. */
async function ask(url: string | undefined, path: string): Promise<Answer | { readonly reason: string }> {
  if (url === undefined) return { reason: 'no running instance' }
  try {
    const response = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(patienceMs) })
    return { status: response.status, headers: response.headers, body: await response.text() }
  } catch (error) {
    return { reason: reasonOf(error) }
  }
}

async function readStatus(url: string | undefined, orderID: string): Promise<StatusRead['result']> {
  const answer = await ask(url, `/orders/${orderID}`)
  if ('reason' in answer) return { kind: 'unknown', reason: answer.reason }
  if (answer.status === 200) return { kind: 'found', status: (JSON.parse(answer.body) as OrderAnswer).status }
  if (answer.status === 404) return { kind: 'missing' }
  return { kind: 'unknown', reason: reasonOfStatus(answer.status, answer.headers) }
}

interface StreamRequest {
  readonly url: string | undefined
  readonly orderID: string
  readonly until: StreamRead['until']
  /** Aborted when the client closes the connection. */
  readonly closing: AbortSignal
}

type StreamEnd = { readonly isOpened: boolean } & (
  | { readonly kind: 'over' | 'closed by the client' | 'closed by the service' }
  | { readonly kind: 'failed'; readonly reason: string }
)

/** Reads one connection of a stream, and appends its events, after those of earlier connections. */
async function readStream({ url, orderID, until, closing }: StreamRequest, events: StreamEvent[]): Promise<StreamEnd> {
  if (url === undefined) return { kind: 'failed', isOpened: false, reason: 'no running instance' }
  const last = events.at(-1)?.id
  let isOpened = false
  try {
    const response = await fetch(`${url}/orders/${orderID}/events?until=${until}`, {
      headers: last === undefined ? {} : { 'last-event-id': last },
      signal: closing
    })
    if (response.status === 204) return { kind: 'over', isOpened }
    if (response.status !== 200 || response.body === null) {
      await response.body?.cancel()
      return { kind: 'failed', isOpened, reason: reasonOfStatus(response.status, response.headers) }
    }
    isOpened = true
    for await (const { id, data } of readEventStream(response.body)) {
      events.push({ id, status: (JSON.parse(data) as OrderAnswer).status, atMs: Date.now() })
    }
    return { kind: 'closed by the service', isOpened }
  } catch (error) {
    if (closing.aborted) return { kind: 'closed by the client', isOpened }
    return { kind: 'failed', isOpened, reason: reasonOf(error) }
  }
}
