export {
  anyInventoryConfirmed,
  anyInventoryFailed,
  anyInventoryReleased,
  anyInventoryReserved,
  anyOrderChangeRequested,
  anyOrderCreated,
  anyOrderRate,
  anyStockMoved
} from './arbitraries.ts'
export {
  inventoryConfirmed,
  inventoryFailed,
  inventoryReleased,
  inventoryReserved,
  orderChangeRequested,
  orderCreated,
  orderRate,
  stockMoved
} from './fixtures.ts'
export { createInMemoryRegistry } from './in-memory-registry.ts'
