import { writeOpenApi } from '@orderly/service-kit/testing'
import { configSchema } from '../config.ts'
import { createOrderApi } from './order-api.ts'

/**
 * Writes the order API's document: the response of `/openapi.json` for the newest version of
 * OrderCreated.
 */

const { maximum: newestVersion = 1 } = configSchema.properties.ORDER_CREATED_VERSION as { maximum?: number }
await writeOpenApi('order', async t => {
  const { http } = await createOrderApi(t, { orderCreatedVersion: newestVersion })
  return http
})
