import type { Notification } from './notification.ts'
import { german } from './wording/de.ts'
import { english } from './wording/en.ts'
import type { Wording, Words } from './wording/words.ts'

/** Wordings by language tag (BCP 47); the tags are the values of NOTIFICATION_LOCALE. */
const wordings = { en: english, de: german } satisfies Record<string, Wording>

export type Locale = keyof typeof wordings

export const locales = Object.keys(wordings) as Locale[]

/** A notification as text for a person. */
export interface Message {
  readonly subject: string
  readonly text: string
  /** A complete HTML document. */
  readonly html: string
}

export function messageFor(notification: Notification, locale: Locale): Message {
  const words = wordsFor(notification, wordings[locale])
  return { subject: words.subject, text: toText(words), html: toHTML(words, locale) }
}

function wordsFor(notification: Notification, wording: Wording): Words {
  // The compiler cannot infer that the wording and the notification have the same kind.
  const { subject, introduction, lines } = wording[notification.kind](notification as never)
  return { subject, introduction: readable(introduction), lines: lines.map(readable) }
}

/**
 * Replaces control characters (including line breaks) and characters that change the writing
 * direction. No legitimate SKU contains them.
 */
function readable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    '\ufffd'
  )
}

function toText({ introduction, lines }: Words): string {
  return [introduction, ...lines].join('\n')
}

function toHTML({ subject, introduction, lines }: Words, locale: Locale): string {
  return [
    `<!doctype html><html lang="${locale}"><head><meta charset="utf-8"><title>${escapeHTML(subject)}</title></head><body>`,
    `<p>${escapeHTML(introduction)}</p>`,
    ...(lines.length === 0 ? [] : [`<ul>${lines.map(line => `<li>${escapeHTML(line)}</li>`).join('')}</ul>`]),
    '</body></html>'
  ].join('\n')
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;'
}

export function escapeHTML(text: string): string {
  return text.replace(/[&<>"']/g, character => entities[character] as string)
}
