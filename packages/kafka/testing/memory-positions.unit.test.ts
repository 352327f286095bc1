import { createMemoryPositions } from './memory-positions.ts'
import { testPositionStoreContract } from './position-store-contract.ts'

testPositionStoreContract('memory', async () => {
  const store = createMemoryPositions()
  return { store, incidents: async () => store.incidents }
})
