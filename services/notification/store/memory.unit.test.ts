import { createMemoryDeliveryStore } from './memory.ts'
import { testDeliveryStore } from './testing/delivery-store-contract.ts'

testDeliveryStore('delivery table in memory', async (_t, nowMs) => createMemoryDeliveryStore(nowMs))
