import type { OffsetCommit } from '../history/history.ts'
import { isVisible, type LogRecord } from './transactions.ts'

/** Topic in which group coordinators store committed offsets; its log is their complete history. */
export const offsetsTopic = '__consumer_offsets'

/**
 * Returns the committed offsets of one partition of that topic, in the order of becoming visible:
 * for transactional ones, the order of their commit markers. Keys contain a version and, in
 * versions 0 and 1, group, topic and partition; values contain a version and the offset.
 */
export function offsetCommitsIn(records: readonly LogRecord[]): OffsetCommit[] {
  return records
    .filter(isVisible)
    .toSorted((a, b) => a.endOffset - b.endOffset || a.offset - b.offset)
    .flatMap(({ record: { key, value }, endedAtMs, producerID, producerEpoch }) => {
      if (key === null || value === null || key.readInt16BE(0) > 1) return [] // group metadata or an expired offset
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
