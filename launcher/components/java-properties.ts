const escapes: Readonly<Record<string, string>> = { '\t': '\\t', '\n': '\\n', '\r': '\\r', '\f': '\\f' }

/**
 * Formats settings as a file that `java.util.Properties.load` reads: Latin-1 text with escapes, one
 * setting per line. Kafka then splits some values at commas (`log.dirs`, `plugin.path`). For those,
 * callers pass paths relative to the working directory of the process, which do not contain the
 * checkout's path.
 */
export function formatProperties(settings: Readonly<Record<string, string | number | boolean>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${escapeText(name, /[\s\\=:#!]/g)}=${escapeText(String(value), /^ |[\t\n\r\f\\]/g)}\n`)
    .join('')
}

function escapeText(text: string, special: RegExp): string {
  return text
    .replaceAll(special, character => escapes[character] ?? `\\${character}`)
    .replaceAll(/[^ -~]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
