/**
 * The reasons of `InventoryFailed`, of the order and of each line that could not be reserved. Readers accept other reasons as
 * well: a later version of the inventory may have more.
 */
export const failureReasons = {
  /** A SKU has fewer pieces than the order requests. */
  outOfStock: 'OUT_OF_STOCK',
  /** A SKU of the order is not kept in stock. More stock would not help, so it precedes OUT_OF_STOCK as the order's reason. */
  unknownSKU: 'UNKNOWN_SKU',
  /** The order requests a longer hold than its caller may have. It has no lines with reasons. */
  holdTooLong: 'HOLD_TOO_LONG',
  /** With the order the caller would hold more unconfirmed pieces than it may. It has no lines with reasons. */
  heldTooMuch: 'HELD_QUANTITY_EXCEEDED',
  /** The order was cancelled before it was decided. It has no lines with reasons. */
  cancelled: 'CANCELLED'
} as const
