import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Costs, type Plan, simulate } from './model.ts'

const costs: Costs = {
  decideBatchMs: 2,
  commitBatchMs: 4,
  decideOrderMs: 0.02,
  processOrderMs: 0.01,
  commitOrderMs: 0.005
}
const plan: Plan = {
  ordersPerSecond: 10_000,
  instances: 1,
  shards: 1,
  shardOrdersPerSecond: 100_000,
  maxBatch: 2_000,
  hotSplits: 0
}

test('an instance keeps up until batches take longer to process than to fill', () => {
  assert.ok(simulate(plan, costs, 10_000).keptUp > 0.99)
  // 2 ms per full batch plus 0.03 ms per order give about 32,000 orders per second.
  const { keptUp } = simulate({ ...plan, ordersPerSecond: 64_000 }, costs, 10_000)
  assert.ok(keptUp > 0.45 && keptUp < 0.55, `${keptUp}`)
})

test('more instances sustain more orders, up to the limit of the database', () => {
  const wanted = { ...plan, ordersPerSecond: 150_000, instances: 8 }
  assert.ok(simulate({ ...wanted, shards: 2 }, costs, 5_000).keptUp > 0.98)
  const { keptUp, busyShards } = simulate(wanted, costs, 5_000)
  assert.ok(keptUp < 0.75 && busyShards > 0.95, `${keptUp} ${busyShards}`)
})

test('a hot SKU serializes all instances, and splitting its stock makes them concurrent', () => {
  const wanted = { ...plan, ordersPerSecond: 100_000, instances: 8, shards: 4 }
  const [hot, split] = [1, 8].map(hotSplits => simulate({ ...wanted, hotSplits }, costs, 5_000))
  assert.ok((hot?.keptUp ?? 1) < 0.6, `${hot?.keptUp}`)
  assert.ok((split?.keptUp ?? 0) > 0.98, `${split?.keptUp}`)
})

test('batches grow with the load while latency stays low', () => {
  const [idle, busy] = [500, 20_000].map(ordersPerSecond => simulate({ ...plan, ordersPerSecond }, costs, 10_000))
  assert.ok((idle?.meanBatch ?? 0) < 5 && (busy?.meanBatch ?? 0) > 50, `${idle?.meanBatch} ${busy?.meanBatch}`)
  assert.ok((busy?.p50Ms ?? 1e9) < 50, `${busy?.p50Ms}`)
})
