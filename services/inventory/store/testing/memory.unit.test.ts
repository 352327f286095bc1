import { testHoldLimits } from './hold-limits-contract.ts'
import { createMemoryStore } from './memory.ts'
import { testSettlements } from './settlement-contract.ts'
import { testStockStore } from './stock-store-contract.ts'

testStockStore('the store in memory', async (_t, nowMs) => createMemoryStore(nowMs))
testHoldLimits('the store in memory', async (_t, nowMs, limits) => createMemoryStore(nowMs, limits))
testSettlements('the store in memory', async (_t, nowMs) => createMemoryStore(nowMs))
