/**
 * Spans are told after the fact. The ids of a step are made and travel with the order in any case (`trace-context.ts`), whether or not
 * anybody records traces; when somebody does, each step says afterwards what it was, under the ids that it had. So nothing is
 * kept open while work goes on, and a service that records no traces has no `Spans` at all: what is left is a comparison.
 */
export interface Spans {
  /** The context of a new step: in the trace of `parent`, or in a new one, sampled as the settings say. */
  begin(parent: string | undefined): string
  /** @param span with a context that `begin` or `childTraceparent` gave; left out unless its trace is sampled */
  record(span: FinishedSpan): void
  /** Sends what is waiting. */
  stop(): Promise<void>
}

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer'

export interface FinishedSpan {
  /** As the semantic conventions word it: `POST /orders`, `process orders.created`. No ids. */
  readonly name: string
  readonly kind: SpanKind
  readonly traceparent: string
  /** Missing where the trace begins with this span. */
  readonly parent?: string | undefined
  /** Milliseconds since the epoch, with fractions: see `preciseNowMs`. */
  readonly startMs: number
  readonly endMs: number
  /** Names of the semantic conventions. Undefined ones are left out. */
  readonly attributes: Readonly<Record<string, string | number | boolean | undefined>>
  readonly links?: readonly string[]
  /** Set when it failed. */
  readonly error?: unknown
}

export interface TracedProcess {
  readonly service: string
  readonly instance: string
  readonly logger: { warn(fields: object, message: string): void }
}

export function preciseNowMs(): number {
  return performance.timeOrigin + performance.now()
}

/** Whether the trace is to be recorded, by the flags that came with it. */
export function isSampled(traceparent: string | undefined): boolean {
  return traceparent !== undefined && (Number.parseInt(traceparent.slice(53, 55), 16) & 1) === 1
}
