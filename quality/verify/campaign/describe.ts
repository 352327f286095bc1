import { markdownTable } from '@orderly/command-line'
import type { SeedRecord } from './record.ts'
import { describeTopology } from './topology.ts'

/** Formats the results of a campaign as a page. */
export function describeCampaign(records: readonly SeedRecord[]): string {
  return `${[
    '# Campaign of the verifier',
    `\`npm run verify -- --campaign DURATION\` runs one seed after another and writes this page from
[seeds.jsonl](seeds.jsonl), which has one line for each seed.`,
    summaryOf(records),
    '## Runs',
    runsTable(records),
    '## Recovery',
    'Times from the moment when all servers answer again until everything that was pending is processed.',
    recoveryTable(records),
    '## Faults',
    faultsTable(records),
    ...describeFailures(records.filter(({ outcome }) => outcome !== 'clean'))
  ].join('\n\n')}\n`
}

function summaryOf(records: readonly SeedRecord[]): string {
  const [first, last] = [records[0], records.at(-1)]
  if (first === undefined || last === undefined) return 'No seed has run.'
  const violated = records.filter(({ outcome }) => outcome === 'violated').length
  const undecided = records.filter(({ outcome }) => outcome === 'inconclusive' || outcome === 'incomplete').length
  const versions = Map.groupBy(records, ({ version }) => version)
  return [
    `- ${records.length} seeds from ${first.startedAt.slice(0, 10)} to ${last.startedAt.slice(0, 10)}, with ${figure(sum(records.map(({ orders }) => orders)))} accepted orders and ${figure(faultCount(records))} faults.`,
    `- ${violated === 0 ? 'No seed violated a guarantee' : `${violated} seeds violated a guarantee`}; ${undecided === 0 ? 'every run was conclusive' : `${undecided} runs were inconclusive or not completed`}.`,
    `- Versions: ${[...versions].map(([version, own]) => `${version} (${own.length} seeds, ${own.filter(({ outcome }) => outcome === 'violated').length} with violations)`).join(', ')}.`
  ].join('\n')
}

function runsTable(records: readonly SeedRecord[]): string {
  const byTopology = Map.groupBy(records, describeTopology)
  const rows = [...byTopology].map(([topology, own]) => {
    const count = (outcome: SeedRecord['outcome']) => String(own.filter(record => record.outcome === outcome).length)
    return [
      ...[topology, String(own.length), figure(sum(own.map(({ orders }) => orders))), figure(faultCount(own))],
      ...[count('clean'), count('violated'), count('inconclusive'), count('incomplete')]
    ]
  })
  return markdownTable(
    ['topology', 'seeds', 'accepted orders', 'faults', 'clean', 'violated', 'inconclusive', 'not completed'],
    rows
  )
}

function recoveryTable(records: readonly SeedRecord[]): string {
  const recoveries = records.flatMap(record => record.recoveries)
  const groups = Map.groupBy(recoveries, ({ kinds }) =>
    kinds.some(kind => /broker|postgres|connect|>/.test(kind)) ? 'servers or links' : 'services only'
  )
  const rows = [...groups].map(([what, own]) => {
    const times = own.flatMap(({ tookMs }) => tookMs ?? []).toSorted((a, b) => a - b)
    const late = own.filter(({ tookMs, boundMs }) => tookMs === undefined || tookMs > boundMs).length
    return [what, String(own.length), seconds(quantile(times, 0.5)), seconds(quantile(times, 0.99)), String(late)]
  })
  return markdownTable(['faults of', 'recoveries', 'p50', 'p99', 'later than the bound'], rows)
}

function faultsTable(records: readonly SeedRecord[]): string {
  const counts = new Map<string, number>()
  for (const { faults } of records)
    for (const [kind, count] of Object.entries(faults)) counts.set(kind, (counts.get(kind) ?? 0) + count)
  const rows = [...counts].toSorted(([, a], [, b]) => b - a).map(([kind, count]) => [`\`${kind}\``, figure(count)])
  return markdownTable(['kind', 'number'], rows)
}

function describeFailures(failures: readonly SeedRecord[]): string[] {
  if (failures.length === 0) return []
  const rows = failures.map(record => [
    String(record.seed),
    describeTopology(record),
    record.outcome,
    (record.reasons ?? []).join('; '),
    describePlan(record)
  ])
  return ['## Seeds that were not clean', markdownTable(['seed', 'topology', '', 'reason', 'smallest plan'], rows)]
}

function describePlan({ outcome, smallestPlan }: SeedRecord): string {
  if (outcome !== 'violated') return ''
  if (smallestPlan === undefined) return 'did not fail again'
  return smallestPlan.map(({ kind, target, point }) => [kind, target, point?.name].filter(Boolean).join(' ')).join(', ')
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const faultCount = (records: readonly SeedRecord[]): number =>
  sum(records.flatMap(({ faults }) => Object.values(faults)))
const figure = (value: number): string => value.toLocaleString('en')
const seconds = (ms: number | undefined): string => (ms === undefined ? '–' : `${(ms / 1_000).toFixed(1)} s`)

/** Returns a quantile of sorted values. */
function quantile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}
