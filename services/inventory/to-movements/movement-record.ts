import { eventHeaders, type StockMoved } from '@orderly/contracts'
import type { OutputRecord, Topic } from '@orderly/kafka'

/** Keyed by SKU, so that the movements of a SKU keep their order. A movement has the same id whenever it is written. */
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
