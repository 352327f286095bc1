/** A client of the order API: `createOrderClient({ baseURL, apiKey })`. */
export { OrderApiError } from './errors.ts'
export type { RawAnswer, RawRequest } from './exchange.ts'
export {
  type CallOptions,
  type ChangeOptions,
  createOrderClient,
  type OrderClient,
  type OrderClientOptions,
  type PlacedOrder,
  type PlaceOptions,
  type WaitOptions,
  type WatchOptions
} from './order-client.ts'
export type * from './types.ts'
