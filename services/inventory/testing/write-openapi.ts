import { createTestHttp, writeOpenApi } from '@orderly/service-kit/testing'
import { addStockApi } from '../http/api.ts'
import type { StockAdmin } from '../store/stock-admin.ts'

/** Writes the inventory API's document, which the service serves at `/openapi.json`. */

await writeOpenApi('inventory', async t => {
  const { http } = createTestHttp(t)
  // Only the document is requested, so no stock operation is needed.
  await addStockApi(http, { callers: undefined, stock: {} as StockAdmin })
  return http
})
