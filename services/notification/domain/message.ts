import type { Notification } from './notification.ts'
import { german } from './wording/de.ts'
import { english } from './wording/en.ts'
import type { Wording, Words } from './wording/words.ts'

/** Every language by its tag (BCP 47), as it stands in NOTIFICATION_LOCALE. */
const wordings = { en: english, de: german } satisfies Record<string, Wording>

export type Locale = keyof typeof wordings

export const locales = Object.keys(wordings) as Locale[]

/** A notification as somebody reads it. */
export interface Message {
  readonly subject: string
  readonly text: string
  /** A whole document. */
  readonly html: string
}

export function messageFor(notification: Notification, locale: Locale): Message {
  const words = wordsFor(notification, wordings[locale])
  return { subject: words.subject, text: toText(words), html: toHTML(words, locale) }
}

function wordsFor(notification: Notification, wording: Wording): Words {
  // The compiler cannot see that the words are those of the notification's own kind.
  const { subject, introduction, lines } = wording[notification.kind](notification as never)
  return { subject, introduction: readable(introduction), lines: lines.map(readable) }
}

/** Control characters, line breaks among them, and what turns the direction of writing: nobody's SKU needs them. */
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
