/**
 * Records finished spans. Trace and span ids are created and propagated even if traces are not
 * recorded (`trace-context.ts`). If they are, each step records its span after it has finished,
 * under its ids. So no span objects are open during the work, and without tracing `Spans` is
 * undefined and costs one comparison.
 */
export interface Spans {
  /**
   * Creates the context of a new span, in the trace of `parent` or in a new one. The sampler sets
   * its flags.
   */
  begin(parent: string | undefined): string
  /** Records a span with a context from `begin` or `childTraceparent`, if its trace is sampled. */
  record(span: FinishedSpan): void
  /** Exports the queued spans. */
  stop(): Promise<void>
}

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer'

export interface FinishedSpan {
  /** Name by the semantic conventions, without ids: `POST /orders`, `process orders.created`. */
  readonly name: string
  readonly kind: SpanKind
  readonly traceparent: string
  /** Undefined for the first span of a trace. */
  readonly parent?: string | undefined
  /** Milliseconds since the epoch, with fractions: see `preciseNowMs`. */
  readonly startMs: number
  readonly endMs: number
  /** Attributes by the semantic conventions. Undefined values are omitted. */
  readonly attributes: Readonly<Record<string, string | number | boolean | undefined>>
  readonly links?: readonly string[]
  /** The error of a failed span. */
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

/** Returns true if the flags of the traceparent mark its trace as sampled. */
export function isSampled(traceparent: string | undefined): boolean {
  return traceparent !== undefined && (Number.parseInt(traceparent.slice(53, 55), 16) & 1) === 1
}
