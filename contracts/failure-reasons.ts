/**
 * Reasons in `InventoryFailed`, for the order and for each line that could not be reserved. Readers
 * must accept other reasons, because later versions of the inventory may add some.
 */
export const failureReasons = {
  /** A SKU has fewer pieces than the order requests. */
  outOfStock: 'OUT_OF_STOCK',
  /**
   * A SKU of the order does not exist. More stock would not help, so it takes precedence over
   * OUT_OF_STOCK as the order's reason.
   */
  unknownSKU: 'UNKNOWN_SKU',
  /** The order requests a longer hold than its caller may have. The event has no shortages. */
  holdTooLong: 'HOLD_TOO_LONG',
  /**
   * With the order, the caller would hold more unconfirmed pieces than allowed. The event has no
   * shortages.
   */
  heldTooMuch: 'HELD_QUANTITY_EXCEEDED',
  /** The order was cancelled before it was decided. The event has no shortages. */
  cancelled: 'CANCELLED'
} as const
