import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backlogSizes, backlogsTarget, type Drained, ratesOf } from './backlogs.ts'
import { type InstancesRun, instancesTarget } from './instances.ts'

test('backlogs are powers of ten up to the requested one', () => {
  assert.deepEqual(backlogSizes(10_000_000), [10_000, 100_000, 1_000_000, 10_000_000])
  assert.deepEqual(backlogSizes(40_000), [10_000, 40_000])
  assert.deepEqual(backlogSizes(500), [500])
})

test('the target compares highest and lowest cost, and its cause separates the speed of the machine', () => {
  const drained = (orders: number, cpuUs: number, machineMs: number): Drained => {
    return { orders, cpuUs, machineMs, times: 1, perSecond: 1, collectingUs: 2, inTransaction: 1_000, samples: [] }
  }
  const { measured, why } = backlogsTarget({
    drained: [drained(10_000, 22, 11), drained(100_000, 20, 10), drained(1_000_000, 24, 12)],
    again: drained(10_000, 24, 12),
    memory: { resident: 0, objects: 0, room: 0, buffers: 0, threads: 0, program: 0, files: 0 }
  })
  assert.ok(Math.abs(measured - 20) < 1e-9)
  assert.match(why as string, /the range of the machine is 20\.0 %, and that of ours relative to it 0\.00 %/)
})

test('the cost of smaller transactions is fitted over all settings', () => {
  const run = (instances: number, inTransaction: number): InstancesRun => ({
    instances,
    inTransaction,
    cpuUs: 20 + 5_000 / inTransaction,
    partitions: 12,
    perSecond: 10_000,
    collectingUs: 0,
    postgresUs: 0,
    brokerUs: 0,
    idleMsPerSecond: 10,
    machineMs: 12,
    memoryMB: 0,
    check: { orders: 0, violations: [], fullestPartition: 1 }
  })
  const { what, measured, why } = instancesTarget([run(1, 500), run(2, 250), run(4, 125)])
  assert.equal(what, 'CPU time per order, 4 instances and 12 partitions compared to 1 and 12')
  assert.equal(measured, 2)
  assert.match(why as string, /costs 5,000 µs plus 20\.0 µs per order, which explains 30\.0 of the 30\.0 µs/)
  assert.match(
    why as string,
    /10\.0 ms per second, which is 4\.00 µs per order at this rate for all 4, instead of 1\.00 for 1/
  )
})

test('rates are computed between samples', () => {
  const samples = [0, 10, 30].map((done, atSeconds) => ({ atSeconds, done, memoryMB: 1 }))
  assert.deepEqual(ratesOf(samples), [
    [1, 10],
    [2, 20]
  ])
})
