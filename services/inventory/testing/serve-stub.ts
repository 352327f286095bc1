import { createTestHttp, serveParent } from '@orderly/service-kit/testing'
import { addStockApi } from '../http/api.ts'
import type { StockAdmin } from '../store/stock-admin.ts'

/** Serves the stock API without a database, for a test that limits the memory of this process. */
const set: StockAdmin['set'] = async counts => ({
  kind: 'set',
  levels: Array.from(counts.keys(), sku => ({ sku, available: 1, reserved: 0 }))
})
const page: StockAdmin['page'] = async ({ after, limit }) => {
  const first = Number(after || '0') + 1
  const length = Math.min(limit, 1_000_000 - first + 1)
  return Array.from({ length }, (_, index) => ({
    sku: String(first + index).padStart(40, '0'),
    available: 1,
    reserved: 0
  }))
}

const { http, listen } = createTestHttp({ after: () => {} })
await addStockApi(http, { callers: undefined, stock: { set, page } as StockAdmin })
await serveParent(listen)
