import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { ownerOfKey, recordKey } from '@orderly/contracts'
import fc from 'fast-check'
import { type Attempt, type RetryPolicy, settle } from '../../domain/delivery.ts'
import { accepted, notification, ofAll } from '../../testing/notifications.ts'
import type { Claim, ClaimedDelivery, ClaimOptions, Ledger, SettledDelivery } from '../ledger.ts'

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

function settled(delivery: ClaimedDelivery, attempt: Attempt): SettledDelivery {
  return { delivery, settlement: settle(delivery, attempt, policy, 1) }
}

/** Settles all claimed deliveries with the same result and releases their delivery lanes. */
function settleAll(ledger: Ledger, { deliveries }: Claim, attempt: Attempt, retryInMs = 0) {
  return ledger.settle(
    deliveries.map(delivery => settled(delivery, attempt)),
    deliveries.map(({ target, notification, claim }) => {
      const { caller, userID } = notification
      return { target, caller, userID, claim, retryInMs }
    })
  )
}

/** Contract test for every delivery table: in memory and in Postgres. */
export function testLedger(
  name: string,
  open: (t: TestContext, nowMs: () => number) => Promise<Ledger>,
  { runs = 100 } = {}
): void {
  const setUp = async (t: TestContext) => {
    let nowMs = 1_700_000_000_000
    const ledger = await open(t, () => nowMs)
    const pass = (durationMs: number): void => {
      nowMs += durationMs
    }
    return { ledger, pass }
  }

  test(`${name}: an accepted notification is due immediately, complete, and for each target`, async t => {
    const { ledger } = await setUp(t)
    const [given] = accepted(notification({ userID: `"quoted", {braced}, back\\slashed, NULL, 'x', 💎` }))
    assert.ok(given)
    assert.deepEqual(await ledger.accept([given], ofAll('console', 'smtp')), {
      duplicates: 0,
      targets: new Set(['console', 'smtp'])
    })
    for (const target of ['console', 'smtp']) {
      const { deliveries, isSwitchedOff } = await ledger.claim(target, options)
      assert.equal(isSwitchedOff, false)
      const [delivery] = deliveries
      assert.ok(delivery)
      const { claim, ...rest } = delivery
      assert.deepEqual(rest, { target, ...given, attempts: 0, ageMs: 0 })
      assert.ok(claim)
    }
    assert.deepEqual((await ledger.claim('webhook:shop', options)).deliveries, [])
  })

  test(`${name}: a repeated event is a duplicate for known targets, whatever its result, and not for a new target`, async t => {
    const { ledger } = await setUp(t)
    const given = accepted(notification())
    await ledger.accept(given, ofAll('console'))
    assert.deepEqual(await ledger.accept(given, ofAll('console')), { duplicates: 1, targets: new Set() })
    await settleAll(ledger, await ledger.claim('console', options), sent)
    assert.deepEqual(await ledger.accept([...given, ...given], ofAll('console', 'smtp')), {
      duplicates: 3,
      targets: new Set(['smtp'])
    })
    assert.deepEqual(idsOf(await ledger.claim('console', options)), [])
    assert.equal(idsOf(await ledger.claim('smtp', options)).length, 1)
  })

  test(`${name}: a target of a caller receives the notifications of that caller only, and a target of the operator those of all`, async t => {
    const { ledger } = await setUp(t)
    const given = [undefined, 'berlin', 'paris', 'rome'].map(caller =>
      notification({ userID: 'ada', ...(caller !== undefined && { caller }) })
    )
    const own = ['berlin', 'paris'].map(caller => ({ target: `webhook:${caller}/shop`, caller }))
    const { duplicates, targets } = await ledger.accept(accepted(...given), [...ofAll('console'), ...own])
    assert.deepEqual([duplicates, [...targets].sort()], [0, ['console', 'webhook:berlin/shop', 'webhook:paris/shop']])
    const received = async (target: string) => idsOf(await ledger.claim(target, options)).sort()
    assert.deepEqual(await received('console'), given.map(({ id }) => id).sort())
    assert.deepEqual(await received('webhook:berlin/shop'), [given[1]?.id])
    assert.deepEqual(await received('webhook:paris/shop'), [given[2]?.id])
    assert.deepEqual(await ledger.accept(accepted(...given), own), { duplicates: 2, targets: new Set() })
    assert.deepEqual(await ledger.accept(accepted(...given.slice(3)), own), { duplicates: 0, targets: new Set() })
  })

  test(`${name}: users of two callers with the same id do not wait for each other`, async t => {
    const { ledger, pass } = await setUp(t)
    const [berlins, pariss, unowned] = ['berlin', 'paris', undefined].map(caller =>
      [1, 2].map(() => notification({ userID: 'ada', ...(caller !== undefined && { caller }) }))
    )
    assert.ok(berlins && pariss && unowned)
    await ledger.accept(accepted(...berlins, ...pariss, ...unowned), ofAll('console'))
    const claim = await ledger.claim('console', { ...options, maxPerLane: 1 })
    assert.deepEqual(idsOf(claim).sort(), [berlins, pariss, unowned].map(([first]) => first?.id).sort())
    const isBerlins = ({ notification }: ClaimedDelivery) => notification.caller === 'berlin'
    await settleAll(ledger, { ...claim, deliveries: claim.deliveries.filter(isBerlins) }, failed, 1_000)
    await settleAll(ledger, { ...claim, deliveries: claim.deliveries.filter(each => !isBerlins(each)) }, sent)
    assert.deepEqual(idsOf(await ledger.claim('console', options)).sort(), [pariss[1]?.id, unowned[1]?.id].sort())
    pass(1_000)
    assert.deepEqual(idsOf(await ledger.claim('console', options)), [berlins[0]?.id, berlins[1]?.id])
  })

  test(`${name}: a requested pause applies to all instances until it ends or the address changes`, async t => {
    const { ledger, pass } = await setUp(t)
    const address = { target: 'webhook:shop', fingerprint: 'one' }
    await ledger.register([address, { target: 'console', fingerprint: '' }])
    await ledger.accept(accepted(notification(), notification()), ofAll('webhook:shop', 'console'))
    const pausedMs = async (instanceID: string) => {
      const { deliveries, pausedMs } = await ledger.claim('webhook:shop', { ...options, instanceID })
      assert.equal(deliveries.length > 0, pausedMs === 0)
      return pausedMs
    }
    await ledger.pause({ ...address, fingerprint: 'another' }, 90_000)
    await ledger.pause(address, 60_000)
    await ledger.pause(address, 30_000)
    pass(10_000)
    assert.deepEqual([await pausedMs('one'), await pausedMs('two')], [50_000, 50_000])
    assert.equal((await ledger.claim('console', options)).deliveries.length, 2)
    await ledger.register([address])
    pass(49_999)
    assert.equal(await pausedMs('two'), 1)
    pass(1)
    assert.equal(await pausedMs('two'), 0)
    await ledger.pause(address, 60_000)
    await ledger.register([{ ...address, fingerprint: 'two' }])
    pass(10_000)
    assert.equal(await pausedMs('one'), 0)
  })

  test(`${name}: targets with due deliveries are listed, however many delivery lanes they have`, async t => {
    const { ledger, pass } = await setUp(t)
    assert.deepEqual(await ledger.dueTargets(), [])
    await ledger.accept(accepted(notification(), notification(), notification()), ofAll('console', 'smtp', 'webhook:b'))
    await ledger.accept(accepted(notification()), ofAll('webhook:a'))
    const due = async () => [...(await ledger.dueTargets())].sort()
    assert.deepEqual(await due(), ['console', 'smtp', 'webhook:a', 'webhook:b'])
    await settleAll(ledger, await ledger.claim('smtp', options), failed, 1_000)
    await settleAll(ledger, await ledger.claim('console', options), sent)
    const [first] = (await ledger.claim('webhook:b', { ...options, maxLanes: 1 })).deliveries
    assert.ok(first)
    assert.deepEqual(await due(), ['webhook:a', 'webhook:b'])
    await ledger.claim('webhook:b', options)
    assert.deepEqual(await due(), ['webhook:a'])
    pass(1_000)
    assert.deepEqual(await due(), ['smtp', 'webhook:a'])
  })

  test(`${name}: a claimed delivery is exclusive until its lease ends, and then counts as attempted`, async t => {
    const { ledger, pass } = await setUp(t)
    await ledger.accept(accepted(notification()), ofAll('console'))
    const first = await ledger.claim('console', options)
    assert.equal(first.deliveries.length, 1)
    pass(9_999)
    assert.deepEqual(idsOf(await ledger.claim('console', { ...options, instanceID: 'two' })), [])
    pass(1)
    const second = await ledger.claim('console', { ...options, instanceID: 'two' })
    assert.deepEqual(idsOf(second), idsOf(first))
    assert.equal(second.deliveries[0]?.attempts, 1)
  })

  test(`${name}: a stale claim cannot settle a delivery, except to mark it as sent`, async t => {
    const { ledger, pass } = await setUp(t)
    await ledger.accept(accepted(notification(), notification()), ofAll('console'))
    const late = await ledger.claim('console', options)
    pass(10_000)
    const current = await ledger.claim('console', options)
    const [failedLate, sentLate] = late.deliveries
    assert.ok(failedLate && sentLate)
    const dueAgain = await ledger.settle(
      [settled(failedLate, failed), settled(sentLate, sent)],
      late.deliveries.map(({ target, notification, claim }) => ({
        ...{ target, userID: notification.userID, claim },
        retryInMs: 0
      }))
    )
    assert.deepEqual(dueAgain, new Set())
    assert.deepEqual(await ledger.backlog(), [{ target: 'console', deliveries: 1, oldestAgeMs: 10_000 }])
    assert.deepEqual(idsOf(await ledger.claim('console', options)), [], 'the lane that failed late is still claimed')
    await settleAll(ledger, current, sent)
    assert.deepEqual(await ledger.backlog(), [])
    pass(100_000)
    assert.deepEqual(idsOf(await ledger.claim('console', options)), [])
  })

  test(`${name}: a claim reports whether more may be due, and settling reports the targets with more deliveries`, async t => {
    const { ledger } = await setUp(t)
    const [adas, bobs] = [notification({ userID: 'ada' }), notification({ userID: 'bob' })]
    await ledger.accept(accepted(adas, bobs, notification({ userID: 'ada' })), ofAll('console', 'smtp'))
    await ledger.accept(accepted(notification({ userID: 'cyd' })), ofAll('console'))
    const first = await ledger.claim('console', { ...options, maxLanes: 2, maxPerLane: 1 })
    assert.equal(first.isLimited, true)
    const second = await ledger.claim('console', { ...options, maxLanes: 2 })
    assert.equal(second.isLimited, false)
    const smtps = await ledger.claim('smtp', options)
    assert.equal(smtps.isLimited, false)
    assert.deepEqual(await settleAll(ledger, second, sent), new Set())
    assert.deepEqual(await settleAll(ledger, smtps, failed), new Set(['smtp']))
    assert.deepEqual(await settleAll(ledger, first, sent), new Set(['console']), 'one of a user that had two')
    assert.deepEqual(await ledger.settle([], []), new Set())
  })

  test(`${name}: a failed delivery is due again after its delay, with its failure`, async t => {
    const { ledger, pass } = await setUp(t)
    await ledger.accept(accepted(notification()), ofAll('console'))
    await settleAll(ledger, await ledger.claim('console', options), failed, 1_000)
    pass(999)
    assert.deepEqual(idsOf(await ledger.claim('console', options)), [])
    pass(1)
    const [delivery] = (await ledger.claim('console', options)).deliveries
    assert.equal(delivery?.attempts, 1)
    assert.equal(delivery?.ageMs, 1_000)
    assert.deepEqual(delivery?.lastFailure, failure)
  })

  test(`${name}: the notifications of one user keep their order and wait for the first, and other users do not wait`, async t => {
    const { ledger, pass } = await setUp(t)
    const adas = Array.from({ length: 5 }, () => notification({ userID: 'ada' }))
    const bobs = notification({ userID: 'bob' })
    await ledger.accept(accepted(...adas.slice(0, 3), bobs), ofAll('console'))
    const claim = await ledger.claim('console', { ...options, maxPerLane: 2 })
    const adasClaimed = claim.deliveries.filter(({ notification }) => notification.userID === 'ada')
    assert.deepEqual(
      adasClaimed.map(({ notification }) => notification.id),
      adas.slice(0, 2).map(({ id }) => id)
    )
    await ledger.accept(accepted(...adas.slice(3)), ofAll('console'))
    assert.deepEqual(idsOf(await ledger.claim('console', options)), [], 'the lane is claimed')
    const [head, next] = adasClaimed
    assert.ok(head && next)
    await ledger.settle(
      [settled(head, failed), settled(next, { kind: 'released' })],
      [{ target: 'console', userID: 'ada', claim: head.claim, retryInMs: 1_000 }]
    )
    await ledger.accept(accepted(notification({ userID: 'cyd' })), ofAll('console'))
    assert.equal(idsOf(await ledger.claim('console', options)).length, 1, 'only the third user')
    pass(1_000)
    const again = await ledger.claim('console', options)
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
    const { ledger } = await setUp(t)
    const adas = Array.from({ length: 3 }, () => notification({ userID: 'ada' }))
    await ledger.accept(accepted(...adas), ofAll('console'))
    await settleAll(ledger, await ledger.claim('console', { ...options, maxPerLane: 2 }), sent)
    assert.deepEqual(idsOf(await ledger.claim('console', options)), [adas[2]?.id])
  })

  test(`${name}: a claim returns at most maxLanes delivery lanes, the longest due first`, async t => {
    const { ledger, pass } = await setUp(t)
    const given = [notification(), notification(), notification()]
    for (const each of given) {
      await ledger.accept(accepted(each), ofAll('console'))
      pass(1)
    }
    const ids = []
    for (const _ of given) ids.push(...idsOf(await ledger.claim('console', { ...options, maxLanes: 1 })))
    assert.deepEqual(
      ids,
      given.map(({ id }) => id)
    )
  })

  test(`${name}: a disabled target is reported as disabled until its address changes`, async t => {
    const { ledger } = await setUp(t)
    const address = { target: 'webhook:shop', fingerprint: 'old' }
    await ledger.register([address, { target: 'console', fingerprint: '' }])
    await ledger.switchOff({ target: 'webhook:shop', fingerprint: 'another' }, 'answered 410')
    assert.deepEqual(await ledger.switchedOff(), [])
    await ledger.switchOff(address, 'answered 410')
    await ledger.register([address])
    assert.deepEqual(await ledger.switchedOff(), ['webhook:shop'])
    assert.equal((await ledger.claim('webhook:shop', options)).isSwitchedOff, true)
    assert.equal((await ledger.claim('console', options)).isSwitchedOff, false)
    await ledger.register([{ target: 'webhook:shop', fingerprint: 'new' }])
    assert.equal((await ledger.claim('webhook:shop', options)).isSwitchedOff, false)
  })

  test(`${name}: a removed target is not reported as disabled while other targets are in use`, async t => {
    const { ledger, pass } = await setUp(t)
    const address = { target: 'webhook:shop', fingerprint: 'old' }
    await ledger.register([address, { target: 'console', fingerprint: '' }])
    await ledger.switchOff(address, 'answered 410')
    pass(10 * 60_000)
    // The service was stopped: the targets of its last run count.
    assert.deepEqual(await ledger.switchedOff(), ['webhook:shop'])
    await ledger.see(['console', 'webhook:shop'])
    assert.deepEqual(await ledger.switchedOff(), ['webhook:shop'])
    pass(5 * 60_000 + 1)
    await ledger.see(['console'])
    assert.deepEqual(await ledger.switchedOff(), [])
    await ledger.register([address])
    assert.deepEqual(await ledger.switchedOff(), ['webhook:shop'])
  })

  test(`${name}: a restarted instance releases its own claims, and those of other instances remain`, async t => {
    const { ledger } = await setUp(t)
    await ledger.accept(accepted(notification(), notification()), ofAll('console'))
    const [mine] = idsOf(await ledger.claim('console', { ...options, maxLanes: 1 }))
    await ledger.claim('console', { ...options, instanceID: 'two' })
    assert.equal(await ledger.releaseClaims('one'), 1)
    const again = await ledger.claim('console', options)
    assert.deepEqual(idsOf(again), [mine])
    assert.equal(again.deliveries[0]?.attempts, 1)
  })

  test(`${name}: a claim with overdueMs returns only deliveries that have been due for longer`, async t => {
    const { ledger, pass } = await setUp(t)
    await ledger.accept(accepted(notification()), ofAll('gone'))
    pass(5_000)
    const overdue = { ...options, overdueMs: 5_001 }
    assert.deepEqual(idsOf(await ledger.claim('gone', overdue)), [])
    pass(1)
    assert.equal(idsOf(await ledger.claim('gone', overdue)).length, 1)
  })

  test(`${name}: old settled deliveries are deleted, and unsettled ones stay`, async t => {
    const { ledger, pass } = await setUp(t)
    const [done, waiting] = [notification(), notification()]
    await ledger.accept(accepted(done), ofAll('console'))
    await settleAll(ledger, await ledger.claim('console', options), sent)
    await ledger.accept(accepted(waiting), ofAll('console'))
    pass(1_000)
    assert.equal(await ledger.prune(1_000), 0)
    assert.equal(await ledger.prune(999), 1)
    assert.deepEqual(await ledger.accept(accepted(done, waiting), ofAll('console')), {
      duplicates: 1,
      targets: new Set(['console'])
    })
  })

  test(`${name}: empty input is a no-op`, async t => {
    const { ledger } = await setUp(t)
    assert.deepEqual(await ledger.accept([], ofAll('console')), { duplicates: 0, targets: new Set() })
    assert.deepEqual(await ledger.accept(accepted(notification()), []), { duplicates: 0, targets: new Set() })
    await ledger.settle([], [])
    assert.deepEqual(await ledger.backlog(), [])
    assert.equal(await ledger.repairLanes(), 0)
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
        const ledger = await open(t, () => nowMs)
        const order = new Map<string, string[]>()
        const ended = new Map<string, string[]>()
        const all: ReturnType<typeof accepted> = []

        const work = async (maxLanes: number, outcomes: readonly Attempt['kind'][]) => {
          const { deliveries } = await ledger.claim('console', { ...options, maxLanes, maxPerLane: 2, leaseMs: 500 })
          let place = 0
          for (const [owner, lane] of Map.groupBy(deliveries, ({ notification }) => recordKey(notification))) {
            let retryInMs: number | undefined
            const results = lane.map(delivery => {
              const kind = retryInMs === undefined ? outcomes[place++ % outcomes.length] : 'released'
              const result = settled(delivery, { kind, ...failure } as Attempt)
              if (kind === 'failed' && result.settlement.status === 'due') retryInMs = result.settlement.retryInMs
              if (result.settlement.status !== 'due') {
                ended.set(owner, [...(ended.get(owner) ?? []), delivery.notification.id])
              }
              return result
            })
            const claim = lane[0]?.claim as string
            const lanes = [{ target: 'console', ...ownerOfKey(owner), claim, retryInMs: retryInMs ?? 0 }]
            await ledger.settle(results, lanes)
          }
          return deliveries.length
        }

        for (const each of steps) {
          if (each.kind === 'pass') nowMs += each.durationMs
          else if (each.kind === 'work') await work(each.lanes, each.outcomes)
          else if (each.kind === 'crash')
            await ledger.claim('console', { ...options, maxLanes: each.lanes, leaseMs: 500 })
          else {
            const fresh = accepted(notification(each.owner))
            const repeated = each.again ? all.slice(-2) : []
            const { duplicates } = await ledger.accept([...repeated, ...fresh], ofAll('console'))
            assert.equal(duplicates, repeated.length)
            for (const { notification } of fresh) {
              const owner = recordKey(notification)
              order.set(owner, [...(order.get(owner) ?? []), notification.id])
            }
            all.push(...fresh)
          }
        }
        do nowMs += 2_000
        while ((await work(10, ['sent'])) > 0 || (await ledger.backlog()).length > 0)
        assert.deepEqual(ended, order)
      }),
      { numRuns: runs }
    )
  })
}
