export { anyInventoryFailed, anyInventoryReserved, anyOrderCreated, anyOrderRate } from './arbitraries.ts'
export { inventoryFailed, inventoryReserved, orderCreated, orderRate } from './fixtures.ts'
export { createInMemoryRegistry } from './in-memory-registry.ts'
