import { testKeyStore } from './key-store-contract.ts'
import { createMemoryKeyStore } from './memory-keys.ts'
import { createMemoryOrderStore } from './memory-orders.ts'
import { testOrderStore } from './order-store-contract.ts'

testOrderStore('orders in memory', async () => createMemoryOrderStore())

testKeyStore('keys in memory', async () => {
  let nowMs = 1_700_000_000_000
  return {
    store: createMemoryKeyStore(() => nowMs),
    age: async ms => {
      nowMs += ms
    }
  }
})
