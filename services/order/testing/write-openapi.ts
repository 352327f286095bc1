import { writeOpenApi } from '@orderly/service-kit/testing'
import { createOrderApi } from './order-api.ts'

/**
 * Writes the order API's document: the response of `/openapi.json` for the newest version of
 * OrderCreated.
 */
await writeOpenApi('order', async t => (await createOrderApi(t)).http)
