import type { components } from './generated/order-api.ts'

type Schemas = components['schemas']

/** An order to place: `userID`, `items`, `total` in units of the currency, and optional fields. */
export type PlaceOrder = Schemas['PlaceOrder']
/** An order of a batch, with an optional `idempotencyKey`. */
export type BatchOrder = Schemas['BatchOrder']
/** Result of one order of a batch: the `status` that a single request would get, and an order id or a problem. */
export type BatchResult = Schemas['BatchResult']
/** An order with its status and times. */
export type Order = Schemas['Order']
/** A page of orders, newest first, with a cursor if there are more. */
export type OrderPage = Schemas['OrderPage']
/** An accepted order, not yet decided. */
export type OrderAccepted = Schemas['OrderAccepted']
/** An accepted change request, which has not taken effect yet. */
export type ChangeAccepted = Schemas['ChangeAccepted']
/** A status change of an order. */
export type StatusNotice = Schemas['StatusNotice']
/** Problem details (RFC 9457) of a refused request. */
export type Problem = Schemas['Problem']
