import fc from 'fast-check'
import type { OrderRecord } from '../count-orders.ts'
import { windowMs } from '../window.ts'

/**
 * Records of three partitions with gaps between offsets, created within three minutes and written
 * up to three minutes later.
 */
export function orderRecords(startMs = 20 * windowMs): fc.Arbitrary<OrderRecord[]> {
  const step = fc.record({
    partition: fc.nat({ max: 2 }),
    skipped: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat({ max: 3 })),
    createdMs: fc.nat({ max: 3 * windowMs }),
    delayMs: fc.oneof(fc.nat({ max: 1_000 }), fc.nat({ max: 3 * windowMs }))
  })
  return fc.array(step, { maxLength: 30 }).map(steps => {
    const ends = new Map<number, number>()
    return steps.map(({ partition, skipped, createdMs, delayMs }) => {
      const offset = (ends.get(partition) ?? 0) + skipped
      ends.set(partition, offset + 1)
      const createdAtMs = startMs + createdMs
      return { partition, offset, createdAtMs, writtenAtMs: createdAtMs + delayMs }
    })
  })
}
