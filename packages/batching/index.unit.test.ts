import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { inGroups } from './index.ts'

/** Creates grouped work that finishes when the test resolves it. */
function held(options: { maxItems?: number; minIntervalMs?: number } = {}) {
  const groups: { readonly items: readonly string[]; readonly end: PromiseWithResolvers<void> }[] = []
  const add = inGroups(
    async (items: readonly string[]) => {
      const end = Promise.withResolvers<void>()
      groups.push({ items, end })
      await end.promise
      return items.map(item => item.toUpperCase())
    },
    { nameOf: item => item.slice(0, 1), ...options }
  )
  let seen = 0
  return {
    add,
    /** Waits until the next group is in flight and returns it. */
    async next() {
      while (groups.length === seen) await turn()
      return groups[seen++] as (typeof groups)[number]
    },
    begun: () => groups.length
  }
}

test('items of one turn of the event loop start together at its end', async () => {
  const { add, begun, next } = held()
  void add('a')
  void add('b')
  await turn()
  assert.equal(begun(), 1)
  assert.deepEqual((await next()).items, ['a', 'b'])
})

test('without names, equal items share a group up to its maximum size', async () => {
  const groups: (readonly string[])[] = []
  const add = inGroups(
    async (items: readonly string[]) => {
      groups.push(items)
      return items
    },
    { maxItems: 3 }
  )
  assert.deepEqual(await Promise.all(['a', 'a', 'b', 'a'].map(add)), ['a', 'a', 'b', 'a'])
  assert.deepEqual(groups, [['a', 'a', 'b'], ['a']])
})

test('items that arrive while a group is in flight form the next group, and each gets its own result', async () => {
  const { add, begun, next } = held()
  const first = add('a')
  const { end } = await next()
  const later = [add('b'), add('c')]
  await turn()
  assert.equal(begun(), 1)
  end.resolve()
  assert.equal(await first, 'A')
  const second = await next()
  assert.deepEqual(second.items, ['b', 'c'])
  second.end.resolve()
  assert.deepEqual(await Promise.all(later), ['B', 'C'])
})

test('items with the same name are in different groups, in order, and other items may overtake them', async () => {
  const { add, next } = held()
  for (const item of ['a1', 'a2', 'a3', 'b1']) void add(item)
  for (const expected of [['a1', 'b1'], ['a2'], ['a3']]) {
    const { items, end } = await next()
    assert.deepEqual(items, expected)
    end.resolve()
  }
})

test('a group has at most maxItems items', async () => {
  const { add, next } = held({ maxItems: 2 })
  for (const item of ['a', 'b', 'c', 'd', 'e']) void add(item)
  for (const expected of [['a', 'b'], ['c', 'd'], ['e']]) {
    const { items, end } = await next()
    assert.deepEqual(items, expected)
    end.resolve()
  }
})

test('with an interval, the first item starts immediately, and later items form one group after the interval', async () => {
  const minIntervalMs = 20
  const { add, begun, next } = held({ minIntervalMs })
  const startedMs = performance.now()
  void add('a')
  await turn()
  assert.equal(begun(), 1)
  const first = await next()
  first.end.resolve()
  void add('b')
  await turn()
  void add('c')
  const { items, end } = await next()
  assert.deepEqual(items, ['b', 'c'])
  // A Node timer may fire up to a millisecond early.
  assert.ok(performance.now() - startedMs > minIntervalMs - 1)
  end.resolve()
})

test('a failed group rejects all of its items and no others', async () => {
  const { add, next } = held()
  const failing = Promise.allSettled([add('a'), add('b')])
  const { end } = await next()
  const later = add('c')
  end.reject(new Error('away'))
  assert.deepEqual(
    (await failing).map(one => one.status === 'rejected' && one.reason.message),
    ['away', 'away']
  )
  const second = await next()
  second.end.resolve()
  assert.equal(await later, 'C')
})
