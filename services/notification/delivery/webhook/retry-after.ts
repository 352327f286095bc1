const names = {
  days: '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)',
  longDays: '(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day',
  months: '(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)'
}
const time = '(\\d{2}:\\d{2}:\\d{2})'
/**
 * The three formats of RFC 9110, 5.6.7: IMF-fixdate, and the obsolete formats of RFC 850 and
 * `asctime`.
 */
const imfFixdate = new RegExp(`^${names.days}, (\\d{2}) ${names.months} (\\d{4}) ${time} GMT$`)
const rfc850 = new RegExp(`^${names.longDays}, (\\d{2})-${names.months}-(\\d{2}) ${time} GMT$`)
const asctime = new RegExp(`^${names.days} ${names.months} ([\\d ]\\d) ${time} (\\d{4})$`)

export interface RetryAfterHeaders {
  readonly 'retry-after'?: string | undefined
  readonly date?: string | undefined
}

/**
 * Returns the pause that a response requests (RFC 9110, 10.2.3) in seconds or as a date. A date is
 * compared with the receiver's `Date` header, if present, so that the clocks need not agree.
 * @returns undefined without a valid header
 */
export function retryAfterMs(headers: RetryAfterHeaders, nowMs: number): number | undefined {
  const text = headers['retry-after']?.trim()
  if (text === undefined) return undefined
  // A number with many digits is a long pause, not an error.
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1_000, Number.MAX_SAFE_INTEGER)
  const untilMs = parseDate(text, nowMs)
  if (untilMs === undefined) return undefined
  return Math.max(0, untilMs - (parseDate(headers.date?.trim() ?? '', nowMs) ?? nowMs))
}

function parseDate(text: string, nowMs: number): number | undefined {
  const [, day, month, year, clock] = imfFixdate.exec(text) ?? []
  if (day !== undefined) return toMs(`${day} ${month} ${year} ${clock}`)
  const [, shortDay, shortMonth, shortYear, shortClock] = rfc850.exec(text) ?? []
  if (shortDay !== undefined)
    return toMs(`${shortDay} ${shortMonth} ${fullYear(Number(shortYear), nowMs)} ${shortClock}`)
  const [, ascMonth, ascDay, ascClock, ascYear] = asctime.exec(text) ?? []
  return ascDay === undefined ? undefined : toMs(`${ascDay.trim()} ${ascMonth} ${ascYear} ${ascClock}`)
}

/**
 * Returns the full year. A two-digit year that would be more than 50 years ahead is in the past.
 */
function fullYear(shortYear: number, nowMs: number): number {
  const thisYear = new Date(nowMs).getUTCFullYear()
  const year = thisYear - (thisYear % 100) + shortYear
  return year > thisYear + 50 ? year - 100 : year
}

function toMs(text: string): number | undefined {
  const ms = Date.parse(`${text} GMT`)
  return Number.isNaN(ms) ? undefined : ms
}
