import { type OutputRecord, outputHeader } from '@orderly/kafka'
import type { FinishedSpan } from './spans.ts'

/**
 * Attributes shared by the spans of stages and producers
 * (https://opentelemetry.io/docs/specs/semconv/messaging/kafka/).
 */
export const kafka = { 'messaging.system': 'kafka' } as const

export function operation(name: string, type = name) {
  return { 'messaging.operation.name': name, 'messaging.operation.type': type }
}

export function sendSpan(
  record: OutputRecord,
  traceparent: string,
  parent: string | undefined,
  startMs: number,
  endMs: number,
  count = 1
): FinishedSpan {
  const { topic, key } = record
  return {
    name: `send ${topic}`,
    kind: 'producer',
    traceparent,
    parent,
    startMs,
    endMs,
    attributes: {
      ...kafka,
      ...operation('send'),
      'messaging.destination.name': topic,
      'messaging.kafka.message.key': key === null ? undefined : String(key),
      'messaging.message.id': outputHeader(record, 'event-id'),
      ...(count > 1 && { 'messaging.batch.message_count': count })
    }
  }
}
