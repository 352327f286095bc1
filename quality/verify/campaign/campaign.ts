import { mkdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { formatDuration } from '@orderly/command-line'
import { describeCommit, projectDirectory } from '@orderly/launcher'
import { planFaults, type Topology } from '../plan/faults.ts'
import type { Report } from '../report/report.ts'
import { describeCampaign } from './describe.ts'
import { appendRecord, loadRecords, removePartialLine, type SeedRecord } from './record.ts'
import { runSeed, type SeedResult } from './run-seed.ts'
import { shrink } from './shrink.ts'
import { describeTopology, topologyOf } from './topology.ts'

/**
 * A **campaign** runs one seed after another. Each seed has one of four topologies: one or three
 * brokers, with or without Kafka Connect. A seed that fails runs again with fewer faults, to find the
 * smallest plan that fails. The results are in `results/seeds.jsonl`, and their summary is in
 * `results/campaign.md`.
 */
export interface CampaignOptions {
  /** Time during which new seeds begin. */
  readonly campaignMs: number
  readonly seedsFrom: number
  readonly durationMs: number
  readonly requestsPerSecond: number
  readonly instances: Topology['instances']
  readonly signal: AbortSignal
  readonly note: (text: string) => void
  /** Directory of the results; `results` by default. */
  readonly directory?: string
  /** Replaces the real runs in tests. */
  readonly run?: typeof runSeed
}

const results = join(import.meta.dirname, '..', 'results')
export const recordsFile = join(results, 'seeds.jsonl')
const mostShrinkingRuns = 12

export interface CampaignResult {
  /** True if every seed of this campaign was clean. */
  readonly isClean: boolean
  /** Summary of all recorded seeds. */
  readonly page: string
}

/** Runs a campaign. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { campaignMs, seedsFrom, signal, note, directory = results } = options
  const file = join(directory, basename(recordsFile))
  const endsAtMs = Date.now() + campaignMs
  await removePartialLine(file)
  const done = new Set((await loadRecords(file)).map(({ seed }) => seed))
  let failures = 0
  try {
    for (let seed = seedsFrom; Date.now() < endsAtMs; seed++) {
      if (done.has(seed)) continue
      note(`seed ${seed}, ${describeTopology(topologyOf(seed))}; ${formatDuration(endsAtMs - Date.now())} left`)
      const record = await recordSeed(seed, options)
      await appendRecord(file, record)
      if (record.outcome !== 'clean') failures++
      note(`seed ${seed}: ${[record.outcome, ...(record.reasons ?? [])].join(': ')}`)
    }
  } catch (error) {
    if (!signal.aborted) throw error
    note('stopped; the next campaign with the same first seed continues here')
  }
  const page = describeCampaign(await loadRecords(file))
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'campaign.md'), page)
  return { isClean: failures === 0, page }
}

async function recordSeed(seed: number, options: CampaignOptions): Promise<SeedRecord> {
  const topology = topologyOf(seed)
  const startedAt = new Date().toISOString()
  const { run = runSeed } = options
  const result = await run({ ...options, ...topology, seed })
  const failure = failureOf(result)
  const smallestPlan = failure?.outcome === 'violated' ? await shrinkPlan(seed, result, options) : undefined
  const { report } = result
  return {
    ...{ seed, ...topology, version: describeCommit() ?? 'unknown', startedAt, outcome: failure?.outcome ?? 'clean' },
    ...summaryOf(report),
    ...(failure && { reasons: failure.reasons }),
    ...(failure && { directory: /logs: (\S+)/.exec(result.lastLines)?.[1]?.replace(`${projectDirectory}/`, '') ?? '' }),
    ...(smallestPlan && { smallestPlan })
  }
}

function summaryOf(
  report: Report | undefined
): Pick<SeedRecord, 'orders' | 'faults' | 'faultsAtPoints' | 'recoveries' | 'violations'> {
  if (report === undefined) return { orders: 0, faults: {}, faultsAtPoints: {}, recoveries: [], violations: {} }
  const { orders, faults, faultsAtPoints, recoveries, guarantees } = report
  return {
    orders: orders.accepted,
    faults: Object.fromEntries(Object.entries(faults).filter(([, count]) => count > 0)),
    faultsAtPoints,
    recoveries: recoveries.map(({ kinds, boundMs, tookMs }) => ({
      kinds,
      boundMs: Math.round(boundMs),
      ...(tookMs !== undefined && { tookMs })
    })),
    violations: Object.fromEntries(guarantees.map(({ guarantee, count }) => [guarantee, count]))
  }
}

function failureOf({
  report,
  lastLines
}: SeedResult): (Pick<SeedRecord, 'outcome'> & { reasons: string[] }) | undefined {
  if (report === undefined) return { outcome: 'incomplete', reasons: [lastLines] }
  if (report.violations > 0 || report.crossCheck?.agrees === false) {
    const first = report.guarantees.flatMap(({ guarantee, violations }) => {
      return violations.slice(0, 1).map(({ summary }) => `guarantee ${guarantee}: ${summary}`)
    })
    const disagreement = report.crossCheck?.agrees === false ? ['other readers count differently'] : []
    return { outcome: 'violated', reasons: [...first, ...disagreement] }
  }
  return report.ok ? undefined : { outcome: 'inconclusive', reasons: [...report.inconclusive] }
}

/** Runs a failed seed again with parts of its plan. A part fails if it violates one of the same guarantees. */
async function shrinkPlan(seed: number, { report }: SeedResult, options: CampaignOptions) {
  const { durationMs, instances, note, run = runSeed } = options
  const topology = topologyOf(seed)
  const plan = planFaults({ seed, durationMs, topology: { ...topology, instances } })
  const broken = new Set(brokenIn(report))
  const smallest = await shrink([...plan.keys()], {
    mostRuns: mostShrinkingRuns,
    async fails(faults) {
      note(`seed ${seed} again, with ${faults.length} of ${plan.length} faults`)
      const again = await run({ ...options, ...topology, seed, faults })
      return brokenIn(again.report).some(guarantee => broken.has(guarantee))
    }
  })
  return smallest?.flatMap(index => plan[index] ?? [])
}

function brokenIn(report: Report | undefined): number[] {
  return report?.guarantees.filter(({ count }) => count > 0).map(({ guarantee }) => guarantee) ?? []
}
