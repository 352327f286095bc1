import { eventHeaders, type StockMoved } from '@orderly/contracts'
import type { OutputRecord, Topic } from '@orderly/kafka'

/**
 * Creates the record of a movement. Its key is the SKU, which keeps the movements of a SKU in
 * order; its event id is stable.
 */
export function movementRecord(
  stockMovements: Topic<StockMoved>,
  movement: StockMoved,
  traceparent: string
): OutputRecord {
  return {
    topic: stockMovements.name,
    key: movement.sku,
    value: stockMovements.codec.encode(movement),
    headers: eventHeaders(stockMovements, movement.movementID, traceparent)
  }
}
