import type { OutputRecord, RecordHeaders, Topic } from '@orderly/kafka'
import { ContractError } from './errors.ts'
import type { InventoryReleased } from './generated/inventory-released.ts'
import type { OrderChangeRequested } from './generated/order-change-requested.ts'

/**
 * Returns the id of an event. It is determined by the event type and the order, or the request if
 * an order can have several events of the type.
 */
export function eventID(eventType: string, orderID: string): string {
  return `${eventType}-${orderID}`
}

/**
 * Returns the second part of the event id of a change request, of which an order can have several.
 */
export function changeName({
  orderID,
  change,
  requestID
}: Pick<OrderChangeRequested, 'orderID' | 'change' | 'requestID'>): string {
  return `${orderID}-${change}-${requestID}`
}

/**
 * Returns the second part of the event id of a release or a confirmation: the order and the change
 * request that caused it. Events of V1 have no request id and are identified by the order alone.
 */
export function settlementName({ orderID, requestID }: Pick<InventoryReleased, 'orderID' | 'requestID'>): string {
  return requestID === '' ? orderID : `${orderID}-${requestID}`
}

/**
 * Returns the headers of a record whose value the topic's codec has encoded.
 * @param about the order id, or another second argument of `eventID`
 */
export function eventHeaders(topic: Topic<unknown>, about: string, traceparent: string): Record<string, string> {
  return {
    // First, because every reader looks up the fingerprint in every record.
    ...topic.codec.headers,
    'event-id': eventID(topic.eventType, about),
    'content-type': 'application/vnd.confluent.avro',
    traceparent
  }
}

/** U+001F, "unit separator". Caller names and user ids must not contain it. */
export const keySeparator = '\u001f'

const callerHeader = 'caller'

/**
 * The owner of an order: a user of one tenant. Equal user ids of different callers are different
 * users.
 */
export interface RecordOwner {
  readonly userID: string
  /** Name of the caller that placed the order; undefined if API keys are off. */
  readonly caller?: string | undefined
}

/**
 * Returns the key of all records about a user's orders: the caller, U+001F and the user id, or only
 * the user id for an order without a caller. Different owners never have the same key.
 * @throws ContractError `EVENT_INVALID`
 */
export function recordKey({ userID, caller }: RecordOwner): string {
  if (userID.includes(keySeparator)) throw separatorError('userID', userID)
  if (caller === undefined) return userID
  if (caller === '') throw new ContractError('EVENT_INVALID', 'the caller of an order is empty: omit it instead')
  if (caller.includes(keySeparator)) throw separatorError('caller', caller)
  return caller + keySeparator + userID
}

/** Returns the owner from a key of `recordKey`. */
export function ownerOfKey(key: string): RecordOwner {
  const end = key.indexOf(keySeparator)
  return end < 0 ? { userID: key } : { caller: key.slice(0, end), userID: key.slice(end + 1) }
}

/** Returns the caller that placed the order of a record, from the header of the record. */
export function callerOf(headers: Pick<RecordHeaders, 'text'>): string | undefined {
  return headers.text(callerHeader)
}

export interface RecordOptions {
  /**
   * Second part of the event id, if one order can have several events of the type; the order id by
   * default.
   */
  readonly about?: string
  /**
   * Caller that placed the order, even if another caller requested the event. It is part of the key
   * and a header.
   */
  readonly caller?: string | undefined
}

/** Creates the record of an event. @throws ContractError `EVENT_INVALID` */
export function toRecord<Event extends { readonly orderID: string; readonly userID: string }>(
  topic: Topic<Event>,
  event: Event,
  traceparent: string,
  { about = event.orderID, caller }: RecordOptions = {}
): OutputRecord {
  const headers = eventHeaders(topic, about, traceparent)
  if (caller !== undefined) headers[callerHeader] = caller
  return {
    topic: topic.name,
    key: recordKey({ userID: event.userID, caller }),
    value: topic.codec.encode(event),
    headers
  }
}

function separatorError(field: string, text: string): ContractError {
  return new ContractError(
    'EVENT_INVALID',
    `${field} ${JSON.stringify(text)} contains U+001F, which separates the parts of a record key`
  )
}
