import { testDeliveryStore } from './delivery-store-contract.ts'
import { createMemoryDeliveryStore } from './memory.ts'

testDeliveryStore('delivery table in memory', async (_t, nowMs) => createMemoryDeliveryStore(nowMs))
