/**
 * A client of the order API: `createOrderClient({ baseURL, apiKey })`, and the verification of its
 * webhooks: `verifyWebhook(request, { secrets })`.
 */
export { type FailedCall, OrderApiError } from './errors.ts'
export type { RawAnswer, RawRequest } from './exchange.ts'
export {
  type CallOptions,
  type ChangeOptions,
  createOrderClient,
  type ListOptions,
  type OrderClient,
  type OrderClientOptions,
  type PlacedOrder,
  type PlaceOptions,
  type WaitOptions,
  type WatchOptions
} from './order-client.ts'
export type * from './types.ts'
export {
  type VerifiedWebhook,
  type VerifyWebhookOptions,
  verifyWebhook,
  type WebhookErrorCode,
  type WebhookEvent,
  type WebhookOrder,
  type WebhookRequest,
  WebhookVerificationError
} from './webhooks.ts'
