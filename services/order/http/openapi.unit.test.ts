import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOrderApi } from '../testing/order-api.ts'

test('the OpenAPI document contains the validated schemas by name', async t => {
  const { http } = await createOrderApi(t)
  const document = (await http.inject('/openapi.json')).json()
  assert.equal(document.openapi, '3.1.0')
  assert.deepEqual(Object.keys(document.paths), [
    '/orders/{orderID}',
    '/orders',
    '/orders/{orderID}/events',
    '/orders/{orderID}/cancel',
    '/orders/{orderID}/confirm',
    '/orders/batch'
  ])
  assert.deepEqual(Object.keys(document.components.schemas).sort(), [
    'BatchOrder',
    'BatchResult',
    'ChangeAccepted',
    'Order',
    'OrderAccepted',
    'OrderLinks',
    'OrderPage',
    'PlaceOrder',
    'Problem',
    'StatusNotice',
    'StatusStreamEvent'
  ])
  const { post } = document.paths['/orders']
  assert.deepEqual(post.requestBody.content['application/json'].schema, { $ref: '#/components/schemas/PlaceOrder' })
  assert.deepEqual(Object.keys(post.responses), [
    ...['200', '202', '400', '401', '403', '408', '409', '413', '415', '417', '421', '422', '429', '431', '500', '503']
  ])
  const { userID, items, total } = document.components.schemas.PlaceOrder.properties
  assert.deepEqual([userID.maxLength, items.maxItems, total.multipleOf], [128, 100, 0.001])
})
