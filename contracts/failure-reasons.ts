/**
 * The reasons of `InventoryFailed`, of the order and of each line that could not be reserved. Readers accept other reasons as
 * well: a later version of the inventory may have more.
 */
export const failureReasons = {
  /** A SKU has fewer pieces than the order requests. */
  outOfStock: 'OUT_OF_STOCK',
  /** A SKU of the order is not kept in stock. More stock would not help, so it precedes OUT_OF_STOCK as the order's reason. */
  unknownSKU: 'UNKNOWN_SKU',
  /** The order was cancelled before it was decided. It has no lines with reasons. */
  cancelled: 'CANCELLED'
} as const
