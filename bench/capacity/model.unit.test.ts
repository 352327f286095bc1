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

test('an instance keeps up until its batches cost more than the time in which they fill', () => {
  assert.ok(simulate(plan, costs, 10_000).keptUp > 0.99)
  // 2 ms for a full batch and 0.03 ms for each order in it: some 32,000 a second at most.
  const { keptUp } = simulate({ ...plan, ordersPerSecond: 64_000 }, costs, 10_000)
  assert.ok(keptUp > 0.45 && keptUp < 0.55, `${keptUp}`)
})

test('more instances keep up with more, as far as the database does', () => {
  const wanted = { ...plan, ordersPerSecond: 150_000, instances: 8 }
  assert.ok(simulate({ ...wanted, shards: 2 }, costs, 5_000).keptUp > 0.98)
  const { keptUp, busyShards } = simulate(wanted, costs, 5_000)
  assert.ok(keptUp < 0.75 && busyShards > 0.95, `${keptUp} ${busyShards}`)
})

test('a hot SKU makes all instances take turns, and splitting its stock lets them go on', () => {
  const wanted = { ...plan, ordersPerSecond: 100_000, instances: 8, shards: 4 }
  const [hot, split] = [1, 8].map(hotSplits => simulate({ ...wanted, hotSplits }, costs, 5_000))
  assert.ok((hot?.keptUp ?? 1) < 0.6, `${hot?.keptUp}`)
  assert.ok((split?.keptUp ?? 0) > 0.98, `${split?.keptUp}`)
})

test('batches grow with the load, and the latency stays that of a few batches', () => {
  const [idle, busy] = [500, 20_000].map(ordersPerSecond => simulate({ ...plan, ordersPerSecond }, costs, 10_000))
  assert.ok((idle?.meanBatch ?? 0) < 5 && (busy?.meanBatch ?? 0) > 50, `${idle?.meanBatch} ${busy?.meanBatch}`)
  assert.ok((busy?.p50Ms ?? 1e9) < 50, `${busy?.p50Ms}`)
})
