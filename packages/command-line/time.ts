import { isoTime } from '@orderly/contracts'
import { UsageError } from './usage-error.ts'

const unitsMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const units = 'a number and s, m, h or d'

/**
 * Parses the value of an option with a duration. @throws UsageError unless it is within the limits
 */
export function parseDuration(
  text: string | undefined,
  option: string,
  { minimumMs = 0, maximumMs, otherwiseMs }: { minimumMs?: number; maximumMs: number; otherwiseMs: number }
): number {
  if (text === undefined) return otherwiseMs
  const durationMs = durationOf(text)
  if (durationMs !== undefined && durationMs >= minimumMs && durationMs <= maximumMs) return durationMs
  const limits = `from ${minimumMs === 0 ? '0s' : formatDuration(minimumMs)} to ${formatDuration(maximumMs)}`
  throw new UsageError(`--${option} is "${text}": give a duration ${limits} (${units}).`)
}

/**
 * Parses a time such as `2026-01-31T12:00Z`, or a duration ago as `parseDuration` does.
 * @throws UsageError
 */
export function parseMoment(text: string, option: string, nowMs: number): number {
  const agoMs = durationOf(text)
  if (agoMs !== undefined) return nowMs - agoMs
  const timeMs = Date.parse(text)
  if (/^\d{4}-/.test(text) && !Number.isNaN(timeMs)) return timeMs
  throw new UsageError(
    `--${option} is "${text}": give a time like 2026-01-31T12:00Z, or a duration ago like 90s or 2h (${units}).`
  )
}

/** Returns the milliseconds of a duration; a number without a unit is in seconds. */
function durationOf(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,9})([smhd]?)$/.exec(text) ?? []
  return count === undefined ? undefined : Number(count) * (unitsMs[unit || 's'] as number)
}

export function formatTime(timeMs: number | undefined): string | undefined {
  return timeMs === undefined ? undefined : isoTime(timeMs)
}

/** Formats a duration in its two largest units: `3d 4h`, `12m 5s`, `1.2s`, `85ms`. */
export function formatDuration(durationMs: number): string {
  const ms = Math.max(0, Math.round(durationMs))
  if (ms < 1_000) return `${ms}ms`
  if (ms < 60_000) return `${Number((ms / 1_000).toFixed(1))}s`
  const [large, small] = ms < 3_600_000 ? ['m', 's'] : ms < 86_400_000 ? ['h', 'm'] : ['d', 'h']
  const largeMs = unitsMs[large] as number
  const smallMs = unitsMs[small] as number
  const rest = Math.floor((ms % largeMs) / smallMs)
  return `${Math.floor(ms / largeMs)}${large}${rest === 0 ? '' : ` ${rest}${small}`}`
}
