import type { FinishedSpan, Spans } from '../tracing/spans.ts'
import { childTraceparent } from '../tracing/trace-context.ts'

export interface RecordedSpans extends Spans {
  readonly recorded: FinishedSpan[]
}

/** Keeps the spans for a test to look at; every trace is sampled, unless its caller says no. */
export function recordSpans(): RecordedSpans {
  const recorded: FinishedSpan[] = []
  return {
    recorded,
    begin: childTraceparent,
    record: span => void recorded.push(span),
    stop: async () => {}
  }
}
