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
  /** Spans of the batches that this process has encoded and not written yet. */
  const sending = new WeakMap<Buffer, readonly Sending[]>()
  return {
    ...writer,
    write: (reservation, record) =>
      sendTraced([record], spans, ([traced]) => writer.write(reservation, traced ?? record)),
    encode(reservation, records) {
      const { traced, begun } = beginSending(records, spans)
      const batch = writer.encode(reservation, traced)
      sending.set(batch, begun)
      return batch
    },
    writeEncoded: (target, batch) =>
      reportSending(sending.get(batch) ?? [], spans, () => writer.writeEncoded(target, batch))
  }
}

/** A span `send` that has begun. */
interface Sending {
  readonly record: OutputRecord
  readonly parent: string
  readonly traceparent: string
}

async function sendTraced(
  records: readonly OutputRecord[],
  spans: Spans,
  send: (records: readonly OutputRecord[]) => Promise<void>
): Promise<void> {
  const { traced, begun } = beginSending(records, spans)
  await reportSending(begun, spans, () => send(traced))
}

/** Begins a span for each sampled record, and returns the records with the contexts of the spans. */
function beginSending(records: readonly OutputRecord[], spans: Spans) {
  const begun: Sending[] = []
  const traced = records.map(record => {
    const parent = outputHeader(record, 'traceparent')
    if (parent === undefined || !isSampled(parent)) return record
    const traceparent = spans.begin(parent)
    begun.push({ record, parent, traceparent })
    return withHeader(record, 'traceparent', traceparent)
  })
  return { traced, begun }
}

/** Sends, and reports the spans with the result. */
async function reportSending(begun: readonly Sending[], spans: Spans, send: () => Promise<void>): Promise<void> {
  const startMs = preciseNowMs()
  const tell = (failure: { error?: unknown }) => {
    const endMs = preciseNowMs()
    for (const { record, parent, traceparent } of begun)
      spans.record({ ...sendSpan(record, traceparent, parent, startMs, endMs), ...failure })
  }
  try {
    await send()
    tell({})
  } catch (error) {
    tell({ error })
    throw error
  }
}
