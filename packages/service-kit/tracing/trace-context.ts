import { pooledRandomDigits } from '../random/random-pool.ts'
import { usualChild } from './usual-traceparent.ts'

/**
 * W3C Trace Context, level 1 (https://www.w3.org/TR/trace-context-1/): a `traceparent` is `version-traceID-spanID-flags`.
 * One trace id goes with an order from the request to the notification; every step has a span id of its own.
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

/** Undefined when the text is not a valid traceparent: the trace then starts anew, as the specification demands. */
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

/** Of a version that we do not know we may keep the sampled bit only. */
function knownFlags(flags: string): string {
  return Number.parseInt(flags, 16) & 1 ? sampled : '00'
}

export function newTraceparent(): string {
  return `00-${randomID(32)}-${randomID(16)}-${sampled}`
}

/** A new span in the trace of `parent`; a new trace when the parent is missing or not valid. */
export function childTraceparent(parent: string | undefined): string {
  const child = parent === undefined ? undefined : usualChild(parent)
  if (child !== undefined) return child
  const context = parseTraceparent(parent)
  return context === undefined ? newTraceparent() : `00-${context.traceID}-${randomID(16)}-${context.flags}`
}

/** The context as it came, for who adds no step of his own; a new trace when there is none or it is not valid. */
export function sameTraceparent(text: string | undefined): string {
  return text !== undefined && parseTraceparent(text) !== undefined ? text : newTraceparent()
}

/** The ids as log fields; none when there is no valid traceparent. */
export function traceFields(traceparent: string | undefined): { traceID?: string; spanID?: string } {
  const context = parseTraceparent(traceparent)
  return context === undefined ? {} : { traceID: context.traceID, spanID: context.spanID }
}

/** The ids as an exemplar has them, by the convention that Grafana follows. */
export function exemplarOf(traceparent: string): { readonly trace_id: string; readonly span_id: string } {
  const { traceID = '', spanID = '' } = traceFields(traceparent)
  return { trace_id: traceID, span_id: spanID }
}

/** All zeros would be invalid; that it ever comes up is a matter of principle. */
function randomID(digits: number): string {
  const id = pooledRandomDigits(digits)
  return /[^0]/.test(id) ? id : randomID(digits)
}
