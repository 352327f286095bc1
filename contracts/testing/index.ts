export {
  anyInventoryConfirmed,
  anyInventoryFailed,
  anyInventoryReleased,
  anyInventoryReserved,
  anyOrderChangeRequested,
  anyOrderCreated,
  anyOrderRate
} from './arbitraries.ts'
export {
  inventoryConfirmed,
  inventoryFailed,
  inventoryReleased,
  inventoryReserved,
  orderChangeRequested,
  orderCreated,
  orderRate
} from './fixtures.ts'
export { createInMemoryRegistry } from './in-memory-registry.ts'
