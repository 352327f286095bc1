import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type FaultPlan, planFaults, pointsOf, type Topology, usualWeights } from './faults.ts'
import { bodyOf, optionalFieldNames, planLoad, planStock } from './load.ts'
import { createRandom } from './random.ts'

const topology: Topology = { instances: { order: 2, inventory: 2, notification: 2, aggregator: 2 }, brokers: 3 }
const anySeed = fc.integer({ min: 0, max: 2 ** 31 - 1 })

function takeLoad(seed: number, count: number) {
  const load = planLoad(seed, { requestsPerSecond: 50 })
  return Array.from({ length: count }, () => load.next().value)
}

test('the same seed gives the same faults, orders and stock, and another seed gives others', () => {
  fc.assert(
    fc.property(anySeed, seed => {
      const plan = (seed: number) => [
        planFaults({ seed, durationMs: 60_000, topology }),
        takeLoad(seed, 200),
        planStock(seed, 1_000)
      ]
      assert.deepEqual(plan(seed), plan(seed))
      assert.notDeepEqual(plan(seed), plan(seed + 1))
    }),
    { numRuns: 20 }
  )
})

test('some orders have each optional field, and others lack it', () => {
  const requests = takeLoad(7, 1_000)
  for (const name of optionalFieldNames) {
    const given = requests.filter(request => request[name] !== undefined).length
    assert.ok(given > 0 && given < requests.length, `${name} is in ${given} of ${requests.length} orders`)
  }
})

test('two minutes contain nearly every kind of fault, and eight seeds cover every failpoint', () => {
  const points = new Set<string>()
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const plan = planFaults({ seed, durationMs: 120_000, topology })
    const missing = Object.keys(usualWeights).filter(kind => !plan.some(fault => fault.kind === kind))
    assert.ok(missing.length <= 2, `seed ${seed} lacks ${missing.join(', ')}`)
    for (const { point, target } of plan) if (point) points.add(`${target.split('-')[0]} ${point.name}`)
  }
  const all = Object.entries(pointsOf).flatMap(([service, names]) => names.map(name => `${service} ${name}`))
  assert.deepEqual([...points].toSorted(), all.toSorted())
})

test('faults do not overlap on one target, nor on two brokers', () => {
  fc.assert(
    fc.property(anySeed, seed => {
      const plan = planFaults({ seed, durationMs: 90_000, topology })
      const targetOf = ({ kind, target }: FaultPlan) => (kind.endsWith('-broker') ? 'brokers' : target)
      for (const [index, fault] of plan.entries()) {
        for (const other of plan.slice(index + 1)) {
          if (targetOf(fault) === targetOf(other)) assert.ok(other.atMs >= fault.atMs + fault.durationMs)
        }
      }
    }),
    { numRuns: 50 }
  )
})

test('a heal starts after the end of all earlier faults', () => {
  const plan = [1, 2, 3, 4].flatMap(seed => {
    const faults = planFaults({ seed, durationMs: 120_000, topology })
    return faults.filter(({ kind }) => kind === 'heal').map(heal => ({ heal, faults }))
  })
  assert.ok(plan.length > 0)
  for (const { heal, faults } of plan) {
    for (const { atMs, durationMs } of faults) assert.ok(atMs >= heal.atMs || atMs + durationMs < heal.atMs)
  }
})

test('faults can be limited to kinds, services and failpoints', () => {
  const weights = { 'kill-at-point': 1 }
  const plan = planFaults({
    seed: 1,
    durationMs: 60_000,
    topology,
    weights,
    services: ['inventory'],
    points: ['batch-processed']
  })
  assert.ok(plan.length > 3)
  for (const { kind, target, point } of plan) {
    assert.equal(kind, 'kill-at-point')
    assert.match(target, /^inventory-[12]$/)
    assert.equal(point?.name, 'batch-processed')
  }
})

test('planned orders have unique ids and totals and arrive at the given rate', () => {
  const load = takeLoad(3, 2_000)
  assert.equal(new Set(load.map(({ id }) => id)).size, load.length)
  assert.equal(new Set(load.map(({ totalMinor }) => totalMinor)).size, load.length)
  for (const { id, items } of load) {
    assert.match(id, /^[0-9a-f]{32}$/)
    assert.equal(new Set(items.map(({ sku }) => sku)).size, items.length)
  }
  const seconds = (load.at(-1)?.atMs ?? 0) / 1_000
  assert.ok(seconds > 36 && seconds < 44, `2,000 orders at 50 a second took ${seconds} s`)
})

test('the body of a valid request contains the planned order, and broken JSON does not parse', () => {
  for (const request of takeLoad(9, 1_000)) {
    const body = bodyOf(request)
    if (request.defect === 'broken-json') assert.throws(() => JSON.parse(body))
    else if (request.defect === undefined) {
      const { userID, items, total } = JSON.parse(body)
      assert.deepEqual({ userID, items }, { userID: request.userID, items: request.items })
      assert.equal(Math.round(total * 100), request.totalMinor)
    }
  }
})

test('random integers are distributed evenly over their range', () => {
  const random = createRandom(1)
  const counts = new Map<number, number>()
  for (let draw = 0; draw < 6_000; draw++) {
    const value = random.integer(1, 6)
    counts.set(value, (counts.get(value) ?? 0) + 1)
  }
  assert.deepEqual([...counts.keys()].toSorted(), [1, 2, 3, 4, 5, 6])
  for (const count of counts.values()) assert.ok(Math.abs(count - 1_000) < 150)
})
