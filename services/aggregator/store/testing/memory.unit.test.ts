import { createMemoryStore } from './memory.ts'
import { testRateStore } from './rate-store-contract.ts'

testRateStore('the store in memory', async (_t, policy) => createMemoryStore(policy))
