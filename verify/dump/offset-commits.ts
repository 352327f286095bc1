import type { OffsetCommit } from '../history/history.ts'
import { isVisible, type LogRecord } from './transactions.ts'

/** The topic in which group coordinators keep what groups commit: its log is the whole history of every committed offset. */
export const offsetsTopic = '__consumer_offsets'

/**
 * The committed offsets in one partition of that topic, in the order in which they became visible: those of a transaction
 * when it was committed. (Key: version, then for versions 0 and 1 group, topic, partition; value: version, offset, …)
 */
export function offsetCommitsIn(records: readonly LogRecord[]): OffsetCommit[] {
  return records
    .filter(isVisible)
    .toSorted((a, b) => a.endOffset - b.endOffset || a.offset - b.offset)
    .flatMap(({ record: { key, value }, endedAtMs, producerID, producerEpoch }) => {
      if (key === null || value === null || key.readInt16BE(0) > 1) return [] // a group's members, or an offset that expired
      const group = readString(key, 2)
      const topic = readString(key, group.end)
      const partition = key.readInt32BE(topic.end)
      const offset = Number(value.readBigInt64BE(2))
      return [
        { group: group.text, topic: topic.text, partition, offset, timestampMs: endedAtMs, producerID, producerEpoch }
      ]
    })
}

function readString(buffer: Buffer, start: number): { text: string; end: number } {
  const end = start + 2 + buffer.readInt16BE(start)
  return { text: buffer.toString('utf8', start + 2, end), end }
}
