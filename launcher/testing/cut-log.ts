import { open, readdir, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Removes the tail of a partition's log: every batch that ends at `fromOffset` or later. A power
 * failure does the same to data that the operating system had not yet written to disk. The broker
 * that owns the folder must not run; its next start recovers the log.
 */
export async function cutLogTail(dataDirectory: string, partition: string, fromOffset: number): Promise<void> {
  const directory = join(dataDirectory, partition)
  const names = await readdir(directory)
  const segments = names
    .filter(name => name.endsWith('.log'))
    .map(name => ({ name, baseOffset: Number.parseInt(name, 10) }))
    .toSorted((a, b) => a.baseOffset - b.baseOffset)
  const last = segments.findLast(({ baseOffset }) => baseOffset <= fromOffset) ?? segments[0]
  if (last === undefined) throw new Error(`${directory} has no segment of a log`)
  for (const name of names) {
    const isLater = /^\d{20}\./.test(name) && Number.parseInt(name, 10) > last.baseOffset
    // The broker rebuilds indexes and snapshots from the log during recovery.
    if (isLater || /\.(?:index|timeindex|txnindex|snapshot)$/.test(name)) await rm(join(directory, name))
  }
  await truncate(join(directory, last.name), await endOfBatchesBefore(join(directory, last.name), fromOffset))
  await rm(join(dataDirectory, '.kafka_cleanshutdown'), { force: true })
}

const lengthEnd = 12
const headBytes = 27

async function endOfBatchesBefore(file: string, fromOffset: number): Promise<number> {
  const log = await open(file)
  try {
    const { size } = await log.stat()
    const head = Buffer.alloc(headBytes)
    let end = 0
    while (end + headBytes <= size) {
      await log.read(head, 0, headBytes, end)
      const lastOffset = Number(head.readBigInt64BE(0)) + head.readInt32BE(23)
      if (lastOffset >= fromOffset) break
      end += lengthEnd + head.readInt32BE(8)
    }
    return end
  } finally {
    await log.close()
  }
}
