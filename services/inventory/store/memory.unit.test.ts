import { createMemoryStore } from './memory.ts'
import { testSettlements } from './testing/settlement-contract.ts'
import { testStockStore } from './testing/stock-store-contract.ts'

testStockStore('the store in memory', async (_t, nowMs) => createMemoryStore(nowMs))
testSettlements('the store in memory', async (_t, nowMs) => createMemoryStore(nowMs))
