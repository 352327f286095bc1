import { createMemoryStore } from './memory.ts'
import { testHoldLimits } from './testing/hold-limits-contract.ts'
import { testSettlements } from './testing/settlement-contract.ts'
import { testStockStore } from './testing/stock-store-contract.ts'

testStockStore('the store in memory', async (_t, nowMs) => createMemoryStore(nowMs))
testHoldLimits('the store in memory', async (_t, nowMs, limits) => createMemoryStore(nowMs, limits))
testSettlements('the store in memory', async (_t, nowMs) => createMemoryStore(nowMs))
