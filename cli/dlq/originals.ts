import type { DeadLetter, KeyLeftAlone, OriginalState } from '@orderly/kafka'

/** Describes what a reduced dead letter contains instead of the value. */
export function describeReduced({ reduced, batch }: DeadLetter): string[] {
  const lines: string[] = []
  if (reduced !== undefined && batch === undefined) {
    const { why, valueBytes, valueSHA256, droppedHeaders } = reduced
    const value = valueSHA256 === undefined ? 'null' : `${valueBytes} bytes, SHA-256 ${valueSHA256}`
    lines.push(`reduced  ${why}; the value is not in the dead letter: ${value}`)
    if (droppedHeaders > 0) lines.push(`         ${droppedHeaders} headers of the record are missing`)
  }
  if (batch !== undefined) {
    const { lastOffset, records, bytes, sha256 } = batch
    lines.push(`batch    to offset ${lastOffset}: ${records} records in ${bytes} bytes, SHA-256 ${sha256}`)
  }
  return lines
}

/** Describes whether a dead letter without its value can be replayed. */
export function describeOriginal({ source, batch }: DeadLetter, original: OriginalState): string {
  const what = batch === undefined ? 'record' : 'batch'
  const place = `${source.topic} ${source.partition}/${source.offset}`
  switch (original.state) {
    case 'present':
      return `the ${what} is still at ${place}: a replay reads it there`
    case 'removed':
      return `the ${what} is no longer at ${place}: it was removed by retention, or the topic was deleted`
    case 'replaced':
      return `another ${what} is at ${place}: the topic was recreated`
    case 'unreadable':
      return `the ${what} at ${place} cannot be read (${original.reason})`
  }
}

/** Describes why a key cannot be replayed. */
export function describeMissing({ missing }: KeyLeftAlone): string | undefined {
  if (missing === undefined) return undefined
  const { deadLetter, original } = missing
  return `${deadLetter.topic} ${deadLetter.partition}/${deadLetter.offset}: ${describeOriginal(deadLetter, original)}`
}
