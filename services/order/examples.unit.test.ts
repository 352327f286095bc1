import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sendExamples } from '@orderly/service-kit/testing'
import { createOrderApi } from './testing/order-api.ts'

test('the examples of the document work as they are, again and again', async t => {
  // Nothing decides the orders, so requests do not wait for an outcome.
  const api = await createOrderApi(t, { waiterLimits: { total: 0, perCaller: 0 } })
  const baseURL = await api.listen()
  const document = (await api.http.inject('/openapi.json')).json()
  for (const round of ['first', 'second', 'third']) {
    const answers = await sendExamples(document, baseURL)
    const withExamples = answers.filter(({ statuses }) => statuses.length > 0)
    assert.deepEqual(
      withExamples,
      [
        { operationID: 'placeOrder', statuses: [202] },
        { operationID: 'listOrders', statuses: [200] },
        { operationID: 'placeOrders', statuses: [200, 200] }
      ].toSorted((a, b) => indexOf(answers, a) - indexOf(answers, b)),
      `${round} round`
    )
    // The others need the id of an order that was placed.
    assert.equal(answers.length - withExamples.length, 4)
  }
  const placed = api.broker.records('orders.created').length
  assert.equal(placed, 3 * (1 + 2 + 2), 'every example places new orders')
})

function indexOf(answers: readonly { readonly operationID: string }[], { operationID }: { operationID: string }) {
  return answers.findIndex(answer => answer.operationID === operationID)
}
