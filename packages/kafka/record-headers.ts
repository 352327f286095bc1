import { areFields } from './output-headers.ts'
import type { OutputRecord, RecordHeaders } from './records.ts'

/**
 * Reads the headers of a dead letter or an output record through the interface for fetched records.
 */
export function recordHeaders(headers: OutputRecord['headers']): RecordHeaders {
  const fields = areFields(headers) ? headers : Object.entries(headers)
  const contents = new Map<string, Buffer>()
  for (const [name, content] of fields) {
    if (!contents.has(name.toString()) && content !== null) contents.set(name.toString(), Buffer.from(content))
  }
  return {
    text: name => contents.get(name)?.toString(),
    has: name => contents.has(name),
    equals: (name, content) => contents.get(name)?.equals(content) === true,
    toObject: () => Object.fromEntries([...contents].map(([name, content]) => [name, content.toString()]))
  }
}
