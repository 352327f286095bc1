import { pooledRandomDigits } from '../random/random-pool.ts'
import { usualChild } from './usual-traceparent.ts'

/**
 * The parts of a W3C `traceparent` (https://www.w3.org/TR/trace-context-1/), which is
 * `version-traceID-spanID-flags`. All steps of an order, from the request to the notification,
 * share one trace id; each step has a separate span id.
 */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceID: string
  /** 16 hexadecimal digits; the specification's "parent-id". */
  readonly spanID: string
  /** Two hexadecimal digits; `01` means sampled. */
  readonly flags: string
}

const shape = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const sampled = '01'

/**
 * Parses a traceparent. Returns undefined if it is invalid; the caller then starts a new trace, as
 * the specification requires.
 */
export function parseTraceparent(text: string | undefined): TraceContext | undefined {
  const match = text === undefined || text.length > 512 ? null : shape.exec(text)
  if (match === null) return undefined
  const [, version, traceID, spanID, flags, rest] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string?
  ]
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined
  if (/^0+$/.test(traceID) || /^0+$/.test(spanID)) return undefined
  return { traceID, spanID, flags: version === '00' ? flags : knownFlags(flags) }
}

/**
 * Returns the flags of an unknown version, of which the specification allows to keep the sampled
 * bit only.
 */
function knownFlags(flags: string): string {
  return Number.parseInt(flags, 16) & 1 ? sampled : '00'
}

export function newTraceparent(): string {
  return `00-${randomID(32)}-${randomID(16)}-${sampled}`
}

/**
 * Creates a span in the trace of `parent`, or in a new trace if the parent is missing or invalid.
 */
export function childTraceparent(parent: string | undefined): string {
  const child = parent === undefined ? undefined : usualChild(parent)
  if (child !== undefined) return child
  const context = parseTraceparent(parent)
  return context === undefined ? newTraceparent() : `00-${context.traceID}-${randomID(16)}-${context.flags}`
}

/**
 * Returns the context unchanged, for code that adds no span, or a new trace if it is missing or
 * invalid.
 */
export function sameTraceparent(text: string | undefined): string {
  return text !== undefined && parseTraceparent(text) !== undefined ? text : newTraceparent()
}

/** Returns the ids as log fields, or no fields without a valid traceparent. */
export function traceFields(traceparent: string | undefined): { traceID?: string; spanID?: string } {
  const context = parseTraceparent(traceparent)
  return context === undefined ? {} : { traceID: context.traceID, spanID: context.spanID }
}

/** Returns the ids as exemplar labels, with the names that Grafana expects. */
export function exemplarOf(traceparent: string): { readonly trace_id: string; readonly span_id: string } {
  const { traceID = '', spanID = '' } = traceFields(traceparent)
  return { trace_id: traceID, span_id: spanID }
}

/** Generates an id. All zeros are invalid, so they are drawn again. */
function randomID(digits: number): string {
  const id = pooledRandomDigits(digits)
  return /[^0]/.test(id) ? id : randomID(digits)
}
