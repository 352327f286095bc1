import { isUtf8 } from 'node:buffer'
import { type Column, UsageError } from '@orderly/command-line'
import { ownerOfKey, type RecordOwner } from '@orderly/contracts'
import { escapeControls } from '@orderly/service-kit'

const hexPrefix = 'hex:'

/** Returns a key as text, or as `hex:` and its bytes if it is not UTF-8. */
export function formatKey(key: Buffer): string {
  const text = key.toString()
  return isUtf8(key) && !text.startsWith(hexPrefix) ? text : `${hexPrefix}${key.toString('hex')}`
}

/** Returns the caller and the user in a key; undefined for a key that is not UTF-8. */
export function ownerOf(key: Buffer | null): RecordOwner | undefined {
  return key === null || !isUtf8(key) ? undefined : ownerOfKey(key.toString())
}

/** Returns the table columns for the key of a dead letter: the caller, and the rest of the key. */
export function keyColumns<Row>(keyOf: (row: Row) => Buffer | null): Column<Row>[] {
  return [
    { title: 'CALLER', value: row => ownerOf(keyOf(row))?.caller },
    {
      title: 'KEY',
      value(row) {
        const key = keyOf(row)
        if (key === null) return undefined
        const owner = ownerOf(key)
        return shorten(owner?.caller === undefined ? formatKey(key) : owner.userID)
      }
    }
  ]
}

/**
 * Returns shell options that select exactly this key; in hexadecimal if its text cannot be typed.
 */
export function shellKeyOptions(key: Buffer): string {
  const { caller, userID } = ownerOf(key) ?? {}
  const isTyped = (text: string | undefined) => text !== undefined && escapeControls(text) === text
  if (caller !== undefined && isTyped(caller) && isTyped(userID))
    return `--caller ${shellWord(caller)} --user ${shellWord(String(userID))}`
  const text = formatKey(key)
  return `--key ${shellWord(isTyped(text) ? text : `${hexPrefix}${key.toString('hex')}`)}`
}

function shorten(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 39)}…`
}

/** Parses a key. @throws UsageError */
export function parseKey(text: string, option: string): Buffer {
  if (!text.startsWith(hexPrefix)) return Buffer.from(text)
  const digits = text.slice(hexPrefix.length)
  if (!/^([\da-f]{2})*$/i.test(digits))
    throw new UsageError(
      `--${option} is "${text}": give the bytes of the key as pairs of hexadecimal digits, like hex:00ff.`
    )
  return Buffer.from(digits, 'hex')
}

/** Returns text quoted as one shell word. */
function shellWord(text: string): string {
  return /^[\w.@:-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
