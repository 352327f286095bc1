import { type OutputRecord, outputHeader, type Producer, type ReservedWriter, withHeader } from '@orderly/kafka'
import { sendSpan } from './messaging.ts'
import { isSampled, preciseNowMs, type Spans } from './spans.ts'

/**
 * Wraps a producer so that it records a span `send <topic>` for each sampled record. Its parent is
 * the span in the record's header, and the header is replaced with the context of the new span.
 */
export function traceProducer(producer: Producer, spans: Spans | undefined): Producer {
  if (spans === undefined) return producer
  return {
    send: records => sendTraced(records, spans, traced => producer.send(traced)),
    forgetFacts: () => producer.forgetFacts(),
    close: () => producer.close()
  }
}

/**
 * Does the same for reserved writes. Each attempt to write a record has a separate `send` span with
 * the same parent.
 */
export function traceReservedWriter(writer: ReservedWriter, spans: Spans | undefined): ReservedWriter {
  if (spans === undefined) return writer
  return {
    reserve: (topic, key) => writer.reserve(topic, key),
    write: (reservation, record) =>
      sendTraced([record], spans, ([traced]) => writer.write(reservation, traced ?? record)),
    release: (reservation, end) => writer.release(reservation, end),
    forgetFacts: () => writer.forgetFacts(),
    close: () => writer.close()
  }
}

async function sendTraced(
  records: readonly OutputRecord[],
  spans: Spans,
  send: (records: readonly OutputRecord[]) => Promise<void>
): Promise<void> {
  const startMs = preciseNowMs()
  const reported: { record: OutputRecord; parent: string; traceparent: string }[] = []
  const traced = records.map(record => {
    const parent = outputHeader(record, 'traceparent')
    if (parent === undefined || !isSampled(parent)) return record
    const traceparent = spans.begin(parent)
    reported.push({ record, parent, traceparent })
    return withHeader(record, 'traceparent', traceparent)
  })
  const tell = (failure: { error?: unknown }) => {
    const endMs = preciseNowMs()
    for (const { record, parent, traceparent } of reported)
      spans.record({ ...sendSpan(record, traceparent, parent, startMs, endMs), ...failure })
  }
  try {
    await send(traced)
    tell({})
  } catch (error) {
    tell({ error })
    throw error
  }
}
