import { isUtf8 } from 'node:buffer'
import { UsageError } from '../command-line/command.ts'
import { shellWord } from '../command-line/shell-word.ts'

const hexPrefix = 'hex:'

/** Returns a key as people read and type it: its text, or `hex:` and its bytes where it is not UTF-8. */
export function formatKey(key: Buffer): string {
  const text = key.toString()
  return isUtf8(key) && !text.startsWith(hexPrefix) ? text : `${hexPrefix}${key.toString('hex')}`
}

/** Returns a key as a word for a shell, in hexadecimal where its text cannot be typed. */
export function shellKey(key: Buffer): string {
  const text = formatKey(key)
  return shellWord(/\p{Cc}/u.test(text) ? `${hexPrefix}${key.toString('hex')}` : text)
}

/** @throws UsageError */
export function parseKey(text: string, option: string): Buffer {
  if (!text.startsWith(hexPrefix)) return Buffer.from(text)
  const digits = text.slice(hexPrefix.length)
  if (!/^([\da-f]{2})*$/i.test(digits))
    throw new UsageError(
      `--${option} is "${text}": give the bytes of the key as pairs of hexadecimal digits, like hex:00ff.`
    )
  return Buffer.from(digits, 'hex')
}
