import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { ownerOfKey, recordKey } from '@orderly/contracts'
import fc from 'fast-check'
import { type Attempt, type RetryPolicy, resultOf } from '../../domain/delivery.ts'
import { accepted, notification, ofAll } from '../../testing/notifications.ts'
import type { AttemptedDelivery, Claim, ClaimedDelivery, ClaimOptions, DeliveryStore } from '../delivery-store.ts'

const policy: RetryPolicy = {
  maxAttempts: 3,
  maxAgeMs: 1e9,
  firstDelayMs: 1_000,
  maxDelayMs: 1_000,
  maxRetryAfterMs: 1e8
}
const options: ClaimOptions = { instanceID: 'one', maxLanes: 100, maxPerLane: 10, leaseMs: 10_000 }
const failure = { code: 'HTTP_500', reason: 'answered 500 "\'{},\\' }
const failed: Attempt = { kind: 'failed', ...failure }
const sent: Attempt = { kind: 'sent' }

const idsOf = (claim: Claim) => claim.deliveries.map(({ notification }) => notification.id)

function attempted(delivery: ClaimedDelivery, attempt: Attempt): AttemptedDelivery {
  return { delivery, result: resultOf(delivery, attempt, policy, 1) }
}

/** Stores the same result for all claimed deliveries and releases their delivery lanes. */
function saveAll(deliveryStore: DeliveryStore, { deliveries }: Claim, attempt: Attempt, retryInMs = 0) {
  return deliveryStore.saveResults(
    deliveries.map(delivery => attempted(delivery, attempt)),
    deliveries.map(({ target, notification, claim }) => {
      const { caller, userID } = notification
      return { target, caller, userID, claim, retryInMs }
    })
  )
}

/** Contract test for every delivery table: in memory and in Postgres. */
export function testDeliveryStore(
  name: string,
  open: (t: TestContext, nowMs: () => number) => Promise<DeliveryStore>,
  { runs = 100 } = {}
): void {
  const setUp = async (t: TestContext) => {
    let nowMs = 1_700_000_000_000
    const deliveryStore = await open(t, () => nowMs)
    const pass = (durationMs: number): void => {
      nowMs += durationMs
    }
    return { deliveryStore, pass }
  }

  test(`${name}: an accepted notification is due immediately, complete, and for each target`, async t => {
    const { deliveryStore } = await setUp(t)
    const [given] = accepted(notification({ userID: `"quoted", {braced}, back\\slashed, NULL, 'x', 💎` }))
    assert.ok(given)
    assert.deepEqual(await deliveryStore.accept([given], ofAll('console', 'smtp')), {
      duplicates: 0,
      targets: new Set(['console', 'smtp'])
    })
    for (const target of ['console', 'smtp']) {
      const { deliveries, isDisabled } = await deliveryStore.claim(target, options)
      assert.equal(isDisabled, false)
      const [delivery] = deliveries
      assert.ok(delivery)
      const { claim, ...rest } = delivery
      assert.deepEqual(rest, { target, ...given, attempts: 0, ageMs: 0 })
      assert.ok(claim)
    }
    assert.deepEqual((await deliveryStore.claim('webhook:shop', options)).deliveries, [])
  })

  test(`${name}: a repeated event is a duplicate for known targets, whatever its result, and not for a new target`, async t => {
    const { deliveryStore } = await setUp(t)
    const given = accepted(notification())
    await deliveryStore.accept(given, ofAll('console'))
    assert.deepEqual(await deliveryStore.accept(given, ofAll('console')), { duplicates: 1, targets: new Set() })
    await saveAll(deliveryStore, await deliveryStore.claim('console', options), sent)
    assert.deepEqual(await deliveryStore.accept([...given, ...given], ofAll('console', 'smtp')), {
      duplicates: 3,
      targets: new Set(['smtp'])
    })
    assert.deepEqual(idsOf(await deliveryStore.claim('console', options)), [])
    assert.equal(idsOf(await deliveryStore.claim('smtp', options)).length, 1)
  })

  test(`${name}: a target of a caller receives the notifications of that caller only, and a target of the operator those of all`, async t => {
    const { deliveryStore } = await setUp(t)
    const given = [undefined, 'berlin', 'paris', 'rome'].map(caller =>
      notification({ userID: 'ada', ...(caller !== undefined && { caller }) })
    )
    const own = ['berlin', 'paris'].map(caller => ({ target: `webhook:${caller}/shop`, caller }))
    const { duplicates, targets } = await deliveryStore.accept(accepted(...given), [...ofAll('console'), ...own])
    assert.deepEqual([duplicates, [...targets].sort()], [0, ['console', 'webhook:berlin/shop', 'webhook:paris/shop']])
    const received = async (target: string) => idsOf(await deliveryStore.claim(target, options)).sort()
    assert.deepEqual(await received('console'), given.map(({ id }) => id).sort())
    assert.deepEqual(await received('webhook:berlin/shop'), [given[1]?.id])
    assert.deepEqual(await received('webhook:paris/shop'), [given[2]?.id])
    assert.deepEqual(await deliveryStore.accept(accepted(...given), own), { duplicates: 2, targets: new Set() })
    assert.deepEqual(await deliveryStore.accept(accepted(...given.slice(3)), own), {
      duplicates: 0,
      targets: new Set()
    })
  })

  test(`${name}: users of two callers with the same id do not wait for each other`, async t => {
    const { deliveryStore, pass } = await setUp(t)
    const [berlins, pariss, unowned] = ['berlin', 'paris', undefined].map(caller =>
      [1, 2].map(() => notification({ userID: 'ada', ...(caller !== undefined && { caller }) }))
    )
    assert.ok(berlins && pariss && unowned)
    await deliveryStore.accept(accepted(...berlins, ...pariss, ...unowned), ofAll('console'))
    const claim = await deliveryStore.claim('console', { ...options, maxPerLane: 1 })
    assert.deepEqual(idsOf(claim).sort(), [berlins, pariss, unowned].map(([first]) => first?.id).sort())
    const isBerlins = ({ notification }: ClaimedDelivery) => notification.caller === 'berlin'
    await saveAll(deliveryStore, { ...claim, deliveries: claim.deliveries.filter(isBerlins) }, failed, 1_000)
    await saveAll(deliveryStore, { ...claim, deliveries: claim.deliveries.filter(each => !isBerlins(each)) }, sent)
    assert.deepEqual(
      idsOf(await deliveryStore.claim('console', options)).sort(),
      [pariss[1]?.id, unowned[1]?.id].sort()
    )
    pass(1_000)
    assert.deepEqual(idsOf(await deliveryStore.claim('console', options)), [berlins[0]?.id, berlins[1]?.id])
  })

  test(`${name}: a requested pause applies to all instances until it ends or the address changes`, async t => {
    const { deliveryStore, pass } = await setUp(t)
    const address = { target: 'webhook:shop', fingerprint: 'one' }
    await deliveryStore.register([address, { target: 'console', fingerprint: '' }])
    await deliveryStore.accept(accepted(notification(), notification()), ofAll('webhook:shop', 'console'))
    const pausedMs = async (instanceID: string) => {
      const { deliveries, pausedMs } = await deliveryStore.claim('webhook:shop', { ...options, instanceID })
      assert.equal(deliveries.length > 0, pausedMs === 0)
      return pausedMs
    }
    await deliveryStore.pause({ ...address, fingerprint: 'another' }, 90_000)
    await deliveryStore.pause(address, 60_000)
    await deliveryStore.pause(address, 30_000)
    pass(10_000)
    assert.deepEqual([await pausedMs('one'), await pausedMs('two')], [50_000, 50_000])
    assert.equal((await deliveryStore.claim('console', options)).deliveries.length, 2)
    await deliveryStore.register([address])
    pass(49_999)
    assert.equal(await pausedMs('two'), 1)
    pass(1)
    assert.equal(await pausedMs('two'), 0)
    await deliveryStore.pause(address, 60_000)
    await deliveryStore.register([{ ...address, fingerprint: 'two' }])
    pass(10_000)
    assert.equal(await pausedMs('one'), 0)
  })

  test(`${name}: targets with due deliveries are listed, however many delivery lanes they have`, async t => {
    const { deliveryStore, pass } = await setUp(t)
    assert.deepEqual(await deliveryStore.dueTargets(), [])
    await deliveryStore.accept(
      accepted(notification(), notification(), notification()),
      ofAll('console', 'smtp', 'webhook:b')
    )
    await deliveryStore.accept(accepted(notification()), ofAll('webhook:a'))
    const due = async () => [...(await deliveryStore.dueTargets())].sort()
    assert.deepEqual(await due(), ['console', 'smtp', 'webhook:a', 'webhook:b'])
    await saveAll(deliveryStore, await deliveryStore.claim('smtp', options), failed, 1_000)
    await saveAll(deliveryStore, await deliveryStore.claim('console', options), sent)
    const [first] = (await deliveryStore.claim('webhook:b', { ...options, maxLanes: 1 })).deliveries
    assert.ok(first)
    assert.deepEqual(await due(), ['webhook:a', 'webhook:b'])
    await deliveryStore.claim('webhook:b', options)
    assert.deepEqual(await due(), ['webhook:a'])
    pass(1_000)
    assert.deepEqual(await due(), ['smtp', 'webhook:a'])
  })

  test(`${name}: a claimed delivery is exclusive until its lease ends, and then counts as attempted`, async t => {
    const { deliveryStore, pass } = await setUp(t)
    await deliveryStore.accept(accepted(notification()), ofAll('console'))
    const first = await deliveryStore.claim('console', options)
    assert.equal(first.deliveries.length, 1)
    pass(9_999)
    assert.deepEqual(idsOf(await deliveryStore.claim('console', { ...options, instanceID: 'two' })), [])
    pass(1)
    const second = await deliveryStore.claim('console', { ...options, instanceID: 'two' })
    assert.deepEqual(idsOf(second), idsOf(first))
    assert.equal(second.deliveries[0]?.attempts, 1)
  })

  test(`${name}: a stale claim cannot finish a delivery, except to mark it as sent`, async t => {
    const { deliveryStore, pass } = await setUp(t)
    await deliveryStore.accept(accepted(notification(), notification()), ofAll('console'))
    const late = await deliveryStore.claim('console', options)
    pass(10_000)
    const current = await deliveryStore.claim('console', options)
    const [failedLate, sentLate] = late.deliveries
    assert.ok(failedLate && sentLate)
    const dueAgain = await deliveryStore.saveResults(
      [attempted(failedLate, failed), attempted(sentLate, sent)],
      late.deliveries.map(({ target, notification, claim }) => ({
        ...{ target, userID: notification.userID, claim },
        retryInMs: 0
      }))
    )
    assert.deepEqual(dueAgain, new Set())
    assert.deepEqual(await deliveryStore.backlog(), [{ target: 'console', deliveries: 1, oldestAgeMs: 10_000 }])
    assert.deepEqual(
      idsOf(await deliveryStore.claim('console', options)),
      [],
      'the lane that failed late is still claimed'
    )
    await saveAll(deliveryStore, current, sent)
    assert.deepEqual(await deliveryStore.backlog(), [])
    pass(100_000)
    assert.deepEqual(idsOf(await deliveryStore.claim('console', options)), [])
  })

  test(`${name}: a claim reports whether more may be due, and settling reports the targets with more deliveries`, async t => {
    const { deliveryStore } = await setUp(t)
    const [adas, bobs] = [notification({ userID: 'ada' }), notification({ userID: 'bob' })]
    await deliveryStore.accept(accepted(adas, bobs, notification({ userID: 'ada' })), ofAll('console', 'smtp'))
    await deliveryStore.accept(accepted(notification({ userID: 'cyd' })), ofAll('console'))
    const first = await deliveryStore.claim('console', { ...options, maxLanes: 2, maxPerLane: 1 })
    assert.equal(first.isLimited, true)
    const second = await deliveryStore.claim('console', { ...options, maxLanes: 2 })
    assert.equal(second.isLimited, false)
    const smtps = await deliveryStore.claim('smtp', options)
    assert.equal(smtps.isLimited, false)
    assert.deepEqual(await saveAll(deliveryStore, second, sent), new Set())
    assert.deepEqual(await saveAll(deliveryStore, smtps, failed), new Set(['smtp']))
    assert.deepEqual(await saveAll(deliveryStore, first, sent), new Set(['console']), 'one of a user that had two')
    assert.deepEqual(await deliveryStore.saveResults([], []), new Set())
  })

  test(`${name}: a failed delivery is due again after its delay, with its failure`, async t => {
    const { deliveryStore, pass } = await setUp(t)
    await deliveryStore.accept(accepted(notification()), ofAll('console'))
    await saveAll(deliveryStore, await deliveryStore.claim('console', options), failed, 1_000)
    pass(999)
    assert.deepEqual(idsOf(await deliveryStore.claim('console', options)), [])
    pass(1)
    const [delivery] = (await deliveryStore.claim('console', options)).deliveries
    assert.equal(delivery?.attempts, 1)
    assert.equal(delivery?.ageMs, 1_000)
    assert.deepEqual(delivery?.lastFailure, failure)
  })

  test(`${name}: the notifications of one user keep their order and wait for the first, and other users do not wait`, async t => {
    const { deliveryStore, pass } = await setUp(t)
    const adas = Array.from({ length: 5 }, () => notification({ userID: 'ada' }))
    const bobs = notification({ userID: 'bob' })
    await deliveryStore.accept(accepted(...adas.slice(0, 3), bobs), ofAll('console'))
    const claim = await deliveryStore.claim('console', { ...options, maxPerLane: 2 })
    const adasClaimed = claim.deliveries.filter(({ notification }) => notification.userID === 'ada')
    assert.deepEqual(
      adasClaimed.map(({ notification }) => notification.id),
      adas.slice(0, 2).map(({ id }) => id)
    )
    await deliveryStore.accept(accepted(...adas.slice(3)), ofAll('console'))
    assert.deepEqual(idsOf(await deliveryStore.claim('console', options)), [], 'the lane is claimed')
    const [head, next] = adasClaimed
    assert.ok(head && next)
    await deliveryStore.saveResults(
      [attempted(head, failed), attempted(next, { kind: 'released' })],
      [{ target: 'console', userID: 'ada', claim: head.claim, retryInMs: 1_000 }]
    )
    await deliveryStore.accept(accepted(notification({ userID: 'cyd' })), ofAll('console'))
    assert.equal(idsOf(await deliveryStore.claim('console', options)).length, 1, 'only the third user')
    pass(1_000)
    const again = await deliveryStore.claim('console', options)
    assert.deepEqual(
      idsOf(again),
      adas.map(({ id }) => id)
    )
    assert.deepEqual(
      again.deliveries.map(({ attempts }) => attempts),
      [1, 0, 0, 0, 0]
    )
  })

  test(`${name}: a sent delivery is not sent again, and the rest of its delivery lane is due immediately`, async t => {
    const { deliveryStore } = await setUp(t)
    const adas = Array.from({ length: 3 }, () => notification({ userID: 'ada' }))
    await deliveryStore.accept(accepted(...adas), ofAll('console'))
    await saveAll(deliveryStore, await deliveryStore.claim('console', { ...options, maxPerLane: 2 }), sent)
    assert.deepEqual(idsOf(await deliveryStore.claim('console', options)), [adas[2]?.id])
  })

  test(`${name}: a claim returns at most maxLanes delivery lanes, the longest due first`, async t => {
    const { deliveryStore, pass } = await setUp(t)
    const given = [notification(), notification(), notification()]
    for (const each of given) {
      await deliveryStore.accept(accepted(each), ofAll('console'))
      pass(1)
    }
    const ids = []
    for (const _ of given) ids.push(...idsOf(await deliveryStore.claim('console', { ...options, maxLanes: 1 })))
    assert.deepEqual(
      ids,
      given.map(({ id }) => id)
    )
  })

  test(`${name}: a disabled target is reported as disabled until its address changes`, async t => {
    const { deliveryStore } = await setUp(t)
    const address = { target: 'webhook:shop', fingerprint: 'old' }
    await deliveryStore.register([address, { target: 'console', fingerprint: '' }])
    await deliveryStore.disable({ target: 'webhook:shop', fingerprint: 'another' }, 'answered 410')
    assert.deepEqual(await deliveryStore.disabled(), [])
    await deliveryStore.disable(address, 'answered 410')
    await deliveryStore.register([address])
    assert.deepEqual(await deliveryStore.disabled(), ['webhook:shop'])
    assert.equal((await deliveryStore.claim('webhook:shop', options)).isDisabled, true)
    assert.equal((await deliveryStore.claim('console', options)).isDisabled, false)
    await deliveryStore.register([{ target: 'webhook:shop', fingerprint: 'new' }])
    assert.equal((await deliveryStore.claim('webhook:shop', options)).isDisabled, false)
  })

  test(`${name}: a removed target is not reported as disabled while other targets are in use`, async t => {
    const { deliveryStore, pass } = await setUp(t)
    const address = { target: 'webhook:shop', fingerprint: 'old' }
    await deliveryStore.register([address, { target: 'console', fingerprint: '' }])
    await deliveryStore.disable(address, 'answered 410')
    pass(10 * 60_000)
    // The service was stopped: the targets of its last run count.
    assert.deepEqual(await deliveryStore.disabled(), ['webhook:shop'])
    await deliveryStore.see(['console', 'webhook:shop'])
    assert.deepEqual(await deliveryStore.disabled(), ['webhook:shop'])
    pass(5 * 60_000 + 1)
    await deliveryStore.see(['console'])
    assert.deepEqual(await deliveryStore.disabled(), [])
    await deliveryStore.register([address])
    assert.deepEqual(await deliveryStore.disabled(), ['webhook:shop'])
  })

  test(`${name}: a restarted instance releases its own claims, and those of other instances remain`, async t => {
    const { deliveryStore } = await setUp(t)
    await deliveryStore.accept(accepted(notification(), notification()), ofAll('console'))
    const [mine] = idsOf(await deliveryStore.claim('console', { ...options, maxLanes: 1 }))
    await deliveryStore.claim('console', { ...options, instanceID: 'two' })
    assert.equal(await deliveryStore.releaseClaims('one'), 1)
    const again = await deliveryStore.claim('console', options)
    assert.deepEqual(idsOf(again), [mine])
    assert.equal(again.deliveries[0]?.attempts, 1)
  })

  test(`${name}: a claim with overdueMs returns only deliveries that have been due for longer`, async t => {
    const { deliveryStore, pass } = await setUp(t)
    await deliveryStore.accept(accepted(notification()), ofAll('gone'))
    pass(5_000)
    const overdue = { ...options, overdueMs: 5_001 }
    assert.deepEqual(idsOf(await deliveryStore.claim('gone', overdue)), [])
    pass(1)
    assert.equal(idsOf(await deliveryStore.claim('gone', overdue)).length, 1)
  })

  test(`${name}: old finished deliveries are deleted, and pending ones stay`, async t => {
    const { deliveryStore, pass } = await setUp(t)
    const [done, waiting] = [notification(), notification()]
    await deliveryStore.accept(accepted(done), ofAll('console'))
    await saveAll(deliveryStore, await deliveryStore.claim('console', options), sent)
    await deliveryStore.accept(accepted(waiting), ofAll('console'))
    pass(1_000)
    assert.equal(await deliveryStore.prune(1_000), 0)
    assert.equal(await deliveryStore.prune(999), 1)
    assert.deepEqual(await deliveryStore.accept(accepted(done, waiting), ofAll('console')), {
      duplicates: 1,
      targets: new Set(['console'])
    })
  })

  test(`${name}: empty input is a no-op`, async t => {
    const { deliveryStore } = await setUp(t)
    assert.deepEqual(await deliveryStore.accept([], ofAll('console')), { duplicates: 0, targets: new Set() })
    assert.deepEqual(await deliveryStore.accept(accepted(notification()), []), { duplicates: 0, targets: new Set() })
    await deliveryStore.saveResults([], [])
    assert.deepEqual(await deliveryStore.backlog(), [])
    assert.equal(await deliveryStore.repairLanes(), 0)
  })

  test(`${name}: with failures, crashes and repeated events, each delivery is sent or exhausted once, in the order of its user`, async t => {
    const step = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant('accept' as const),
          owner: fc.constantFrom({ userID: 'ada' }, { userID: 'bob' }, { userID: 'ada', caller: 'berlin' }),
          again: fc.boolean()
        })
      },
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant('work' as const),
          lanes: fc.integer({ min: 1, max: 3 }),
          outcomes: fc.array(fc.constantFrom<Attempt['kind']>('sent', 'failed', 'refused'), {
            minLength: 1,
            maxLength: 5
          })
        })
      },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('crash' as const), lanes: fc.integer({ min: 1, max: 3 }) })
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), durationMs: fc.nat(2_000) }) }
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async steps => {
        let nowMs = 1_700_000_000_000
        const deliveryStore = await open(t, () => nowMs)
        const order = new Map<string, string[]>()
        const ended = new Map<string, string[]>()
        const all: ReturnType<typeof accepted> = []

        const work = async (maxLanes: number, outcomes: readonly Attempt['kind'][]) => {
          const { deliveries } = await deliveryStore.claim('console', {
            ...options,
            maxLanes,
            maxPerLane: 2,
            leaseMs: 500
          })
          let place = 0
          for (const [owner, lane] of Map.groupBy(deliveries, ({ notification }) => recordKey(notification))) {
            let retryInMs: number | undefined
            const results = lane.map(delivery => {
              const kind = retryInMs === undefined ? outcomes[place++ % outcomes.length] : 'released'
              const result = attempted(delivery, { kind, ...failure } as Attempt)
              if (kind === 'failed' && result.result.status === 'due') retryInMs = result.result.retryInMs
              if (result.result.status !== 'due') {
                ended.set(owner, [...(ended.get(owner) ?? []), delivery.notification.id])
              }
              return result
            })
            const claim = lane[0]?.claim as string
            const lanes = [{ target: 'console', ...ownerOfKey(owner), claim, retryInMs: retryInMs ?? 0 }]
            await deliveryStore.saveResults(results, lanes)
          }
          return deliveries.length
        }

        for (const each of steps) {
          if (each.kind === 'pass') nowMs += each.durationMs
          else if (each.kind === 'work') await work(each.lanes, each.outcomes)
          else if (each.kind === 'crash')
            await deliveryStore.claim('console', { ...options, maxLanes: each.lanes, leaseMs: 500 })
          else {
            const fresh = accepted(notification(each.owner))
            const repeated = each.again ? all.slice(-2) : []
            const { duplicates } = await deliveryStore.accept([...repeated, ...fresh], ofAll('console'))
            assert.equal(duplicates, repeated.length)
            for (const { notification } of fresh) {
              const owner = recordKey(notification)
              order.set(owner, [...(order.get(owner) ?? []), notification.id])
            }
            all.push(...fresh)
          }
        }
        do nowMs += 2_000
        while ((await work(10, ['sent'])) > 0 || (await deliveryStore.backlog()).length > 0)
        assert.deepEqual(ended, order)
      }),
      { numRuns: runs }
    )
  })
}
