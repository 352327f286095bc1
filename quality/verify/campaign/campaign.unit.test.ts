import assert from 'node:assert/strict'
import { appendFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { check } from '../checker/check.ts'
import { cleanHistory } from '../checker/testing/clean-history.ts'
import { withRates } from '../checker/testing/with-rates.ts'
import { planFaults } from '../plan/faults.ts'
import { toReport } from '../report/report.ts'
import { runCampaign } from './campaign.ts'
import { describeCoverage } from './coverage.ts'
import { describeCampaign } from './describe.ts'
import { appendRecord, loadRecords, type SeedRecord } from './record.ts'
import { topologyOf } from './topology.ts'

const clean: SeedRecord = {
  ...{ seed: 1_000, brokers: 1, hasConnect: false, version: 'v1', startedAt: '2026-01-02T03:04:05.000Z' },
  ...{ outcome: 'clean', orders: 1_500, faults: { kill: 3, 'kill-at-point': 1 } },
  faultsAtPoints: { 'kill-at-point inventory before-commit': 1 },
  recoveries: [
    { kinds: ['kill'], boundMs: 15_000, tookMs: 900 },
    { kinds: ['kill-broker'], boundMs: 20_000, tookMs: 21_000 }
  ],
  violations: { 1: 0, 2: 0 }
}
const violated: SeedRecord = {
  ...clean,
  ...{ seed: 1_001, brokers: 3, outcome: 'violated', violations: { 1: 2, 2: 0 } },
  reasons: ['guarantee 1: an order is missing'],
  smallestPlan: [{ atMs: 10, kind: 'kill', target: 'order-1', durationMs: 0 }]
}

test('four seeds in a row have the four topologies', () => {
  const topologies = [1_000, 1_001, 1_002, 1_003].map(seed => JSON.stringify(topologyOf(seed)))
  assert.equal(new Set(topologies).size, 4)
})

test('a campaign that was stopped continues with the next seed, and shrinks the plan of a seed that fails', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'campaign-'))
  t.after(() => rm(directory, { recursive: true }))
  const history = withRates(cleanHistory(8))
  const good = toReport(history, check(history))
  const broken = { ...history, notifications: history.notifications.slice(1) }
  const bad = toReport(broken, check(broken))
  const instances = { order: 1, inventory: 2, notification: 1, aggregator: 1 }
  const started: number[] = []

  function campaignUntil(last: number) {
    const stop = new AbortController()
    const common = { campaignMs: 3_600_000, seedsFrom: 10, durationMs: 25_000, requestsPerSecond: 60, instances }
    return runCampaign({
      ...{ ...common, directory, signal: stop.signal, note: () => {} },
      async run({ seed, faults, signal }) {
        if (faults === undefined) started.push(seed)
        if (seed === last) stop.abort()
        signal.throwIfAborted()
        // Fault 2 of seed 11 is the cause.
        const report = seed === 11 && faults?.includes(2) !== false ? bad : good
        return { code: report.ok ? 0 : 1, report, lastLines: '' }
      }
    })
  }

  assert.equal((await campaignUntil(12)).isClean, false)
  const { isClean, page } = await campaignUntil(14)
  assert.equal(isClean, true)
  assert.deepEqual(started, [10, 11, 12, 12, 13, 14])
  assert.match(page, /4 seeds from /)
  const records = await loadRecords(join(directory, 'seeds.jsonl'))
  assert.deepEqual(
    records.map(({ seed, outcome }) => `${seed} ${outcome}`),
    ['10 clean', '11 violated', '12 clean', '13 clean']
  )
  const plan = planFaults({ seed: 11, durationMs: 25_000, topology: { ...topologyOf(11), instances } })
  assert.deepEqual(records[1]?.smallestPlan, [plan[2]])
})

test('results are kept, and a line that was not written completely is left out', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'campaign-'))
  t.after(() => rm(directory, { recursive: true }))
  const file = join(directory, 'results', 'seeds.jsonl')
  assert.deepEqual(await loadRecords(file), [])
  await appendRecord(file, clean)
  await appendRecord(file, violated)
  await appendFile(file, '{"seed":1002,"bro')
  assert.deepEqual(await loadRecords(file), [clean, violated])
  await appendFile(file, '\n')
  await assert.rejects(loadRecords(file), /line 3 is not JSON: delete the line/)
})

test('the page counts seeds, orders, faults and recoveries, and names what failed', () => {
  const page = describeCampaign([clean, violated])
  assert.match(page, /2 seeds from 2026-01-02 to 2026-01-02, with 3,000 accepted orders and 8 faults/)
  assert.match(page, /1 seeds violated a guarantee; every run was conclusive/)
  assert.match(page, /\| 3 brokers \| 1 \| 1,500 \| 4 \| 0 \| 1 \| 0 \| 0 \|/)
  assert.match(page, /\| servers or links \| 2 \| 21\.0 s \| 21\.0 s \| 2 \|/)
  assert.match(page, /\| 1001 \| 3 brokers \| violated \| guarantee 1: an order is missing \| kill order-1 \|/)
})

test('the coverage counts the seeds in which a fault occurred and a guarantee was judged', () => {
  const lines = describeCoverage([clean, violated]).split('\n')
  const row = (name: string) =>
    lines
      .find(line => line.startsWith(name))
      ?.slice(name.length)
      .trim()
      .split(/\s+/)
  assert.deepEqual(row('kill ')?.slice(0, 3), ['2', '2', '.'])
  assert.deepEqual(row('kill-at-point inventory before-commit')?.slice(0, 3), ['2', '2', '.'])
  assert.deepEqual(row('kill-broker')?.slice(0, 3), ['.', '.', '.'])
  assert.match(lines.at(-1) ?? '', /^2 seeds; \d+ of \d+ cells are holes\.$/)
})
