import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { History, OrderRequest } from '../history/history.ts'
import { inconclusiveReasons, sharesOf } from './conclusive.ts'
import { cleanHistory } from './testing/clean-history.ts'
import { changingPolls } from './testing/with-reads.ts'
import { changingStatus, withStatus } from './testing/with-status.ts'
import { changingStock, withStockChanges } from './testing/with-stock-changes.ts'

const unknown = { kind: 'unknown', reason: 'no answer' } as const

const clean = (): History => withStatus(withStockChanges(cleanHistory(4, 200)))

function changingRequests(change: (request: OrderRequest, index: number) => OrderRequest): History {
  const history = clean()
  return { ...history, requests: history.requests.map(change) }
}

test('a run in which nearly every request has a known result is conclusive', () => {
  assert.deepEqual(inconclusiveReasons(clean()), [])
})

test('a run in which every third order has no known result is inconclusive', () => {
  const history = changingRequests((request, index) => (index % 3 === 0 ? { ...request, result: unknown } : request))
  assert.match(inconclusiveReasons(history).join(), /^3\d % of \d+ orders have no known result; at most 20 % may$/)
})

test('an order counts once, and its result is known if one attempt was answered', () => {
  const history = clean()
  const lost = history.requests.map((request): OrderRequest => {
    return {
      ...request,
      id: `${request.id}-lost`,
      idempotencyKey: request.idempotencyKey ?? request.id,
      result: unknown
    }
  })
  const answered = history.requests.map(request => ({
    ...request,
    idempotencyKey: request.idempotencyKey ?? request.id
  }))
  const repeated = { ...history, requests: [...lost, ...answered] }
  assert.deepEqual(sharesOf(repeated)[0]?.total, sharesOf(history)[0]?.total)
  assert.deepEqual(inconclusiveReasons(repeated), [])
})

test('clients that do not wait for an answer do not count', () => {
  const history = changingRequests((request, index) =>
    index % 2 === 0 ? { ...request, patienceMs: 5, result: unknown } : request
  )
  assert.deepEqual(inconclusiveReasons(history), [])
})

test('change requests, stock changes, requests for a status and lists have separate shares', () => {
  const history = clean()
  const lost = <Attempt>(attempts: readonly Attempt[]) => attempts.map(attempt => ({ ...attempt, result: unknown }))
  const broken = changingStock(
    changingStatus({ ...history, changeRequests: lost(history.changeRequests) }, ({ reads, lists }) => ({
      reads: lost(reads),
      lists: lists.map(list => ({ ...list, isComplete: false }))
    })),
    ({ changes }) => ({ changes: lost(changes) })
  )
  assert.deepEqual(
    inconclusiveReasons(broken).map(reason => reason.replace(/ have no.*/, '').replaceAll(/\d+/g, 'N')),
    [
      'N % of N cancels and confirmations',
      'N % of N stock changes',
      'N % of N requests for an order status',
      'N % of N lists of orders'
    ]
  )
})

test('a reader that returned nothing during the load makes the run inconclusive', () => {
  const late = changingPolls(clean(), 'java-1', polls => polls.map(poll => ({ ...poll, atMs: poll.atMs + 3_600_000 })))
  assert.deepEqual(inconclusiveReasons(late), ['the reader java-1 returned no record during the load'])
})
