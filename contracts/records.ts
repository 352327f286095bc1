import type { OutputRecord, RecordHeaders, Topic } from '@orderly/kafka'
import { ContractError } from './errors.ts'
import type { InventoryReleased } from './generated/inventory-released.ts'
import type { OrderChangeRequested } from './generated/order-change-requested.ts'

/** The same order (or request, where an order can have several events of a type) and event type always give the same id. */
export function eventID(eventType: string, orderID: string): string {
  return `${eventType}-${orderID}`
}

/** Names a change request in its event id: an order can have several of them. */
export function changeName({
  orderID,
  change,
  requestID
}: Pick<OrderChangeRequested, 'orderID' | 'change' | 'requestID'>): string {
  return `${orderID}-${change}-${requestID}`
}

/**
 * Names a release or a confirmation in its event id, by the request that it answers. Events of V1 have no request and are
 * named by their order alone.
 */
export function settlementName({ orderID, requestID }: Pick<InventoryReleased, 'orderID' | 'requestID'>): string {
  return requestID === '' ? orderID : `${orderID}-${requestID}`
}

/**
 * The headers of a record of the topic whose value its codec has encoded.
 * @param about what the event is about, as `eventID` takes it
 */
export function eventHeaders(topic: Topic<unknown>, about: string, traceparent: string): Record<string, string> {
  return {
    // In front, as every reader looks for it in every record.
    ...topic.codec.headers,
    'event-id': eventID(topic.eventType, about),
    'content-type': 'application/vnd.confluent.avro',
    traceparent
  }
}

/** U+001F, "unit separator". Neither a caller's name nor a user id may contain it. */
export const keySeparator = '\u001f'

const callerHeader = 'caller'

/** The user of one tenant: user ids of different callers are different users. */
export interface RecordOwner {
  readonly userID: string
  /** The name of the caller that placed the order; undefined where callers have no API keys. */
  readonly caller?: string | undefined
}

/**
 * Returns the key of every record about a user's orders: the caller, U+001F and the user id, or the user id alone for an
 * order without a caller. Different owners never have the same key.
 * @throws ContractError `EVENT_INVALID`
 */
export function recordKey({ userID, caller }: RecordOwner): string {
  if (userID.includes(keySeparator)) throw separatorError('userID', userID)
  if (caller === undefined) return userID
  if (caller === '') throw new ContractError('EVENT_INVALID', 'the caller of an order is empty: leave it out instead')
  if (caller.includes(keySeparator)) throw separatorError('caller', caller)
  return caller + keySeparator + userID
}

/** Returns the owner that `recordKey` made the key of. */
export function ownerOfKey(key: string): RecordOwner {
  const end = key.indexOf(keySeparator)
  return end < 0 ? { userID: key } : { caller: key.slice(0, end), userID: key.slice(end + 1) }
}

/** Returns the caller that placed the order which a record is about, from the record's header. */
export function callerOf(headers: Pick<RecordHeaders, 'text'>): string | undefined {
  return headers.text(callerHeader)
}

export interface RecordOptions {
  /** The second part of the event id, where one order can have several events of the type; the order's id by default. */
  readonly about?: string
  /** The caller that placed the order, even if another caller asked for the event. It is part of the key and a header. */
  readonly caller?: string | undefined
}

/** @throws ContractError `EVENT_INVALID` */
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
