import type { HeaderField, OutputRecord } from './records.ts'

type OutputHeaders = OutputRecord['headers']

/**
 * Returns true if headers are a list of fields, which may repeat names, and false if they are an
 * object.
 */
export function areFields(headers: OutputHeaders): headers is readonly HeaderField[] {
  return Array.isArray(headers)
}

/** Returns the text of the first header with this name of an output record. */
export function outputHeader({ headers }: OutputRecord, name: string): string | undefined {
  const content = areFields(headers)
    ? headers.find(([candidate]) => String(candidate) === name)?.[1]
    : (headers[name] ?? null)
  return content === null || content === undefined ? undefined : String(content)
}

/**
 * Returns the record with this header set: in place if the record has a header with this name,
 * otherwise after the others.
 */
export function withHeader(record: OutputRecord, name: string, text: string): OutputRecord {
  const { headers } = record
  if (!areFields(headers)) return { ...record, headers: { ...headers, [name]: text } }
  const at = headers.findIndex(([candidate]) => String(candidate) === name)
  const field: HeaderField = [name, text]
  return { ...record, headers: at < 0 ? [...headers, field] : headers.with(at, field) }
}
