import { createTestHttp, writeOpenApi } from '@orderly/service-kit/testing'
import { addStockApi } from '../from-http/api.ts'
import type { StockKeeping } from '../store/stock-keeping.ts'

/** Writes openapi.json: what the service answers at `/openapi.json`. */

await writeOpenApi(new URL('../openapi.json', import.meta.url), async t => {
  const { http } = createTestHttp(t)
  // Nobody asks it for anything but its document.
  await addStockApi(http, { callers: undefined, stock: {} as StockKeeping })
  return http
})
