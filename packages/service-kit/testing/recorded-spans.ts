import type { FinishedSpan, Spans } from '../tracing/spans.ts'
import { childTraceparent } from '../tracing/trace-context.ts'

export interface RecordedSpans extends Spans {
  readonly recorded: FinishedSpan[]
}

/**
 * Creates a recorder that keeps spans in memory. New traces are sampled; others keep their caller's
 * decision.
 */
export function recordSpans(): RecordedSpans {
  const recorded: FinishedSpan[] = []
  return {
    recorded,
    begin: childTraceparent,
    record: span => void recorded.push(span),
    stop: async () => {}
  }
}
