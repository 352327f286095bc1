import type { OutputRecord, Topic } from '@orderly/kafka'

/** The same order and event type always give the same id, however often the event is produced. */
export function eventID(eventType: string, orderID: string): string {
  return `${eventType}-${orderID}`
}

export function eventHeaders(eventType: string, orderID: string, traceparent: string): Record<string, string> {
  return {
    'event-id': eventID(eventType, orderID),
    'content-type': 'application/vnd.confluent.avro',
    traceparent
  }
}

/**
 * @param about names what the event is about where one order can have several of its type
 * @param moreHeaders such as `caller`: who placed the order
 * @throws ContractError `EVENT_INVALID`
 */
export function toRecord<Event extends { readonly orderID: string; readonly userID: string }>(
  topic: Topic<Event>,
  event: Event,
  traceparent: string,
  about = event.orderID,
  moreHeaders?: Readonly<Record<string, string>>
): OutputRecord {
  return {
    topic: topic.name,
    key: event.userID,
    value: topic.codec.encode(event),
    headers: { ...eventHeaders(topic.eventType, about, traceparent), ...moreHeaders }
  }
}
