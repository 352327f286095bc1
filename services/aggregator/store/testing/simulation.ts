import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { OrderRecord } from '../../domain/count-orders.ts'
import { isLate, type Window, type WindowPolicy, windowMs, windowStartOf } from '../../domain/window.ts'
import type { RateStore } from '../rate-store.ts'

/**
 * A step of a simulation with growing partitions, instances that read, commit or die, and a clock.
 */
type Step =
  | { readonly kind: 'write'; readonly partition: number; readonly ageMs: number; readonly delayMs: number }
  /** Counts a batch from the committed position or, as a zombie does, from an earlier one. */
  | {
      readonly kind: 'count'
      readonly partition: number
      readonly size: number
      readonly from: number
      readonly commits: boolean
    }
  | { readonly kind: 'tick'; readonly commits: boolean }
  | { readonly kind: 'wait'; readonly forMs: number }

const partitionCount = 2
const partition = fc.nat({ max: partitionCount - 1 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      partition,
      ageMs: fc.oneof(fc.nat({ max: 1_000 }), fc.nat({ max: 3 * windowMs })),
      delayMs: fc.nat({ max: 1_000 })
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('count' as const),
      partition,
      size: fc.integer({ min: 1, max: 6 }),
      from: fc.nat({ max: 4 }),
      commits: fc.boolean()
    })
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('tick' as const), commits: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), forMs: fc.nat({ max: 2 * windowMs }) }) }
)

export const histories = fc.array(step, { maxLength: 50 })

export async function simulate(store: RateStore, policy: WindowPolicy, steps: readonly Step[]): Promise<void> {
  const logs: OrderRecord[][] = Array.from({ length: partitionCount }, () => [])
  const positions = logs.map(() => 0)
  const published: Window[] = []
  let nowMs = 1_000 * windowMs

  const tick = async (commits: boolean) => {
    const read = logs.flatMap((log, partition) =>
      positions[partition] === log.length ? [{ partition, completeUntilMs: nowMs }] : []
    )
    await store.noteComplete(partitionCount, read)
    await store.makeFinal()
    const windows = await store.unpublished(3)
    published.push(...windows)
    if (commits) await store.markPublished(windows)
    return windows.length
  }

  const countAll = async () => {
    for (const log of logs) if (log.length > 0) await store.count(log)
    logs.forEach((log, partition) => {
      positions[partition] = log.length
    })
  }

  for (const step of steps) {
    if (step.kind === 'write') {
      const { partition, ageMs, delayMs } = step
      const log = logs[partition] as OrderRecord[]
      // The record appears now; its timestamp is older by at most the clock tolerance.
      const writtenAtMs = nowMs - delayMs
      log.push({ partition, offset: log.length, createdAtMs: writtenAtMs - ageMs, writtenAtMs })
    } else if (step.kind === 'count') {
      const { partition, size, from, commits } = step
      const start = Math.max(0, (positions[partition] as number) - from)
      const batch = (logs[partition] as OrderRecord[]).slice(start, start + size)
      if (batch.length > 0) await store.count(batch)
      if (commits) positions[partition] = Math.max(positions[partition] as number, start + batch.length)
    } else if (step.kind === 'tick') {
      await tick(step.commits)
    } else nowMs += step.forMs
  }
  await countAll()
  nowMs += 5 * windowMs
  while ((await tick(true)) > 0);
  check(logs.flat(), published, policy)
}

function check(orders: readonly OrderRecord[], published: readonly Window[], policy: WindowPolicy): void {
  const expected = Map.groupBy(orders, ({ createdAtMs }) => windowStartOf(createdAtMs))
  const records = Map.groupBy(published, ({ startMs }) => startMs)
  assert.deepEqual([...records.keys()].sort(), [...expected.keys()].sort())
  for (const [startMs, own] of records) {
    for (const [index, window] of own.entries()) {
      const next = own[index + 1]
      if (next === undefined) break
      assert.ok(next.revision >= window.revision, 'a revision decreased')
      if (next.revision === window.revision) assert.deepEqual(next, window)
      if (window.isFinal) assert.deepEqual([next.isFinal, next.orders], [true, window.orders])
    }
    const all = expected.get(startMs) ?? []
    const late = all.filter(({ writtenAtMs }) => isLate(startMs, writtenAtMs, policy)).length
    const { orders, late: lateFigure, isFinal } = own.at(-1) as Window
    assert.deepEqual({ orders, late: lateFigure, isFinal }, { orders: all.length - late, late, isFinal: true })
  }
}
