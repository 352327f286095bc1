import { createHash } from 'node:crypto'
import { costOf } from '../measure/cpu-time.ts'
import { interleave } from '../measure/interleave.ts'
import { median, ratiosByRound, spreadOf } from '../measure/statistics.ts'
import { createBenchTopics, fillTopic } from '../orders/fill-topic.ts'
import { connectLocalTopics, schemaIDs } from '../orders/local-topics.ts'
import { readAllCommitted } from '../orders/read-all-committed.ts'
import { startOurs } from '../peers/ours.ts'
import type { Work, Worker } from '../peers/worker.ts'
import { profile } from '../profile/profile.ts'
import { barPlot, short } from '../report/plot.ts'
import { figureTable, type Target } from '../report/scenario-report.ts'
import type { Scenario, ScenarioContext } from '../scenario.ts'

// Consume, transform, produce in transactions: every order becomes a reservation, with Avro in and
// out. All contestants read the same topic in separate groups and write the same bytes, which is
// checked before anything is measured.

interface Contestant {
  readonly name: string
  readonly worker: Worker
  readonly task: Readonly<Record<string, unknown>>
}

interface Sample extends Work {
  readonly brokerSeconds: number | undefined
}

interface Setting {
  readonly title: string
  readonly names: readonly string[]
  /** Returns the maximum number of records per transaction. */
  batchOf(name: string): number
}

const partitions = 4
const ours = 'our stage, exactly once'
const oursAtLeastOnce = 'our stage, at least once'
const bareLoop = 'bare loop of the client (not exactly once)'
const javaClient = 'Java client'
const streams = 'Kafka Streams, exactly_once_v2'
const franzGo = 'franz-go'
const batchSizes = [500, 2_000, 5_000]
/** Transaction size at which brokers refuse the bare loop's batches: it sends one per partition. */
const tooLargeForBareLoop = 5_000
const commitIntervalMs = 100
const streamsPollRecords = 2_000
const unprofiledMs = 5_000
/** Duration since the start of the worker, including the unprofiled time. */
const profiledMs = 12_000

export const benchStage: Scenario = async context => {
  const { servers, arguments: given, say } = context
  const records = given.quick ? 12_000 : 120_000
  const rounds = given.quick ? 1 : 6
  const input = 'bench-stage-in'
  const topics = await connectLocalTopics()
  await createBenchTopics(servers.connection, [input], partitions)
  await fillTopic(servers.connection, { topic: topics.ordersCreated, name: input, records })
  const contestants = await startContestants(context)
  const run = createRun(context, input, records)
  try {
    say('stage: checking that all contestants write the same bytes')
    await checkSameOutputs(context, contestants, run)
    say('stage: calibrating our batch size to the commit interval of Kafka Streams')
    const cadence = await calibrate(contestants, run, records)
    const settings: Setting[] = [
      ...batchSizes.map(batch => ({
        title: `at most ${batch} records per transaction`,
        names: [ours, oursAtLeastOnce, ...(batch < tooLargeForBareLoop ? [bareLoop] : []), javaClient, franzGo],
        batchOf: () => batch
      })),
      {
        title: `a commit every ${commitIntervalMs} ms (ours: at most ${cadence} records, which take about that time)`,
        names: [ours, streams],
        batchOf: name => (name === ours ? cadence : streamsPollRecords)
      }
    ]
    const sections: string[] = []
    const plots: Record<string, string> = {}
    const targets: Target[] = []
    for (const [index, setting] of settings.entries()) {
      say(`stage: ${setting.title}`)
      const own = contestants.filter(({ name }) => setting.names.includes(name))
      const samples = await interleave(own, rounds, ({ name, worker, task }, round) =>
        run({
          worker,
          task,
          output: outputOf(name),
          batch: setting.batchOf(name),
          id: `${index}-${round}-${slug(name)}`
        })
      )
      const byName = new Map([...samples].map(([{ name }, list]) => [name, list]))
      sections.push(`## ${setting.title}\n\n${describe(byName, records)}`)
      plots[`${index}`] = plot(setting.title, byName, records)
      targets.push(...targetsOf(index, byName, records))
    }
    const markdown = [
      `${records} orders in ${partitions} partitions become reservations, Avro in and out; medians of ${rounds} rounds in turns, with one working ` +
        'thread per contestant. *CPU*: CPU time of the contestant per record, in all threads; *broker CPU*: that of the broker in the same time; *busy*: ' +
        'busy cores of the contestant. At least once, outputs are written immediately by the producer that the services use.',
      ...sections,
      await profileOurs(context, run, [500, 5_000, cadence])
    ].join('\n\n')
    return { title: 'Consume, transform, produce, exactly once', markdown, plots, targets }
  } finally {
    await Promise.all(contestants.map(({ worker }) => worker.stop()))
  }
}

async function startContestants({ peers }: ScenarioContext): Promise<Contestant[]> {
  const found: Contestant[] = [
    { name: ours, worker: startOurs('stage-worker'), task: { delivery: 'exactly-once' } },
    { name: oursAtLeastOnce, worker: startOurs('stage-worker'), task: { delivery: 'at-least-once' } },
    { name: bareLoop, worker: startOurs('bare-loop-worker'), task: {} }
  ]
  const [java, kafkaStreams, go] = await Promise.all([
    peers.start('java', 'stage'),
    peers.start('java', 'streams'),
    peers.start('go', 'stage')
  ])
  if (java !== undefined) found.push({ name: javaClient, worker: java, task: {} })
  if (kafkaStreams !== undefined) found.push({ name: streams, worker: kafkaStreams, task: { commitIntervalMs } })
  if (go !== undefined) found.push({ name: franzGo, worker: go, task: {} })
  return found
}

type Run = (turn: {
  worker: Worker
  task: Readonly<Record<string, unknown>>
  output: string
  batch: number
  id: string
}) => Promise<Sample>

function createRun({ servers }: ScenarioContext, input: string, records: number): Run {
  return async ({ worker, task, output, batch, id }) => {
    await createBenchTopics(servers.connection, [output], partitions)
    const { result, cpuSeconds } = await costOf({ broker: servers.brokerPID }, () =>
      worker.ask({
        ...task,
        brokers: servers.broker,
        input,
        output,
        group: `bench-stage-${id}`,
        records,
        batch,
        reservedSchemaID: schemaIDs.inventoryReserved
      })
    )
    return { ...result, brokerSeconds: cpuSeconds.broker }
  }
}

/** Profiles our stage with each of the given transaction sizes. */
function profileOurs(context: ScenarioContext, run: Run, batches: readonly number[]): Promise<string> {
  return profile(context, {
    scenario: 'stage',
    skipMs: unprofiledMs,
    async run(argumentsFor) {
      for (const batch of batches) {
        const worker = startOurs('stage-worker', argumentsFor(`${batch} a transaction`))
        const output = `bench-stage-profiled-${batch}`
        const task = { delivery: 'exactly-once' }
        try {
          const endMs = performance.now() + profiledMs
          for (let turn = 0; performance.now() < endMs; turn++)
            await run({ worker, task, output, batch, id: `profiled-${batch}-${turn}` })
        } finally {
          await worker.stop()
        }
      }
    }
  })
}

/**
 * Compares the outputs of all contestants.
 * @throws Error unless keys and values are equal to ours
 */
async function checkSameOutputs(
  { servers }: ScenarioContext,
  contestants: readonly Contestant[],
  run: Run
): Promise<void> {
  const checks = contestants.map(async ({ name, worker, task }) => {
    const output = `bench-stage-check-${slug(name)}`
    await run({ worker, task, output, batch: 2_000, id: `check-${slug(name)}` })
    const lines = (await readAllCommitted(servers.connection, output)).map(
      ({ key, value }) => `${key} ${value.toString('hex')}`
    )
    return {
      name,
      records: lines.length,
      digest: createHash('sha256').update(lines.toSorted().join('\n')).digest('hex')
    }
  })
  const [first, ...others] = await Promise.all(checks)
  for (const { name, records, digest } of others)
    if (digest !== first?.digest)
      throw new Error(`${name} wrote other keys or values than our stage (${records} records)`)
}

/**
 * Returns the number of records that our stage processes within the commit interval of Kafka
 * Streams, measured at about that size.
 */
async function calibrate(contestants: readonly Contestant[], run: Run, records: number): Promise<number> {
  const { worker, task } = contestants.find(({ name }) => name === ours) as Contestant
  let batch = 10_000
  for (let turn = 0; turn < 4; turn++) {
    const { seconds } = await run({ worker, task, output: outputOf(ours), batch, id: `calibrate-${turn}` })
    const inTime = (records / seconds) * (commitIntervalMs / 1_000)
    // Moves halfway only, because turns vary.
    batch = Math.max(500, Math.round((batch + inTime) / 2 / 500) * 500)
  }
  return batch
}

/** Returns median costs per record. */
function costsOf(samples: readonly Sample[], records: number) {
  const us = (seconds: readonly number[]) => ((median(seconds) / records) * 1e6).toFixed(1)
  const broker = samples.map(({ brokerSeconds }) => brokerSeconds)
  const commitMs = samples.map(({ seconds, commits = Number.NaN }) => (seconds * 1_000) / commits)
  const busy = median(samples.map(({ seconds, cpuSeconds }) => cpuSeconds / seconds)).toFixed(2)
  return {
    busy,
    cpuUs: us(samples.map(({ cpuSeconds }) => cpuSeconds)),
    brokerUs: broker.includes(undefined) ? '–' : us(broker as number[]),
    commitMs: commitMs.some(Number.isNaN) ? '–' : median(commitMs).toFixed(1)
  }
}

function describe(byName: ReadonlyMap<string, readonly Sample[]>, records: number): string {
  const own = byName.get(ours) ?? []
  const rows = [...byName].map(([name, samples]) => {
    const rate = spreadOf(samples.map(({ seconds }) => records / seconds))
    const { cpuUs, busy, brokerUs, commitMs } = costsOf(samples, records)
    return [
      name,
      short(rate.median),
      `${short(rate.lowest)} – ${short(rate.highest)}`,
      ratiosByRound(own, samples, ({ seconds }) => 1 / seconds).median.toFixed(2),
      cpuUs,
      busy,
      brokerUs,
      commitMs
    ]
  })
  return figureTable(
    ['', 'records/s', 'spread', 'ours ÷ this', 'CPU µs', 'busy', 'broker CPU µs', 'ms per commit'],
    rows
  )
}

function plot(title: string, byName: ReadonlyMap<string, readonly Sample[]>, records: number): string {
  const bars = [...byName].map(([label, samples]) => {
    const { median: value, lowest, highest } = spreadOf(samples.map(({ seconds }) => records / seconds))
    return { label, value, lowest, highest }
  })
  return barPlot(title, 'records per second', bars)
}

function targetsOf(index: number, byName: ReadonlyMap<string, readonly Sample[]>, records: number): Target[] {
  const own = byName.get(ours) ?? []
  const against = (name: string, wanted: number, what: string): Target[] => {
    const others = byName.get(name)
    if (others === undefined || others.length === 0) return []
    const range = ratiosByRound(own, others, ({ seconds }) => 1 / seconds)
    const [mine, theirs] = [costsOf(own, records), costsOf(others, records)]
    const why =
      name === oursAtLeastOnce
        ? `there is a commit every ${mine.commitMs} ms, and every ${theirs.commitMs} ms without transactions. Without them a commit is one request (OffsetCommit) after the ` +
          `records. A transaction needs TxnOffsetCommit and EndTxn, which the coordinators store, and markers in each ` +
          `partition before the next one may begin; the broker uses ${mine.brokerUs} µs per record instead of ${theirs.brokerUs}. The overhead decreases with the size of transactions.`
        : `ours keeps ${mine.busy} cores busy, nearly all in one thread, and the other ${theirs.busy} in all its threads, including garbage collection and ` +
          `network. A record takes ${mine.cpuUs} µs of CPU time in ours and ${theirs.cpuUs} µs in the other (broker: ${mine.brokerUs} and ${theirs.brokerUs}), so one uninterrupted thread ` +
          `of ours would process ${short(1e6 / Number(mine.cpuUs))} records per second. *CPU time by package* attributes this time.`
    return [{ what, wanted, direction: 'at least', measured: range.median, range, why }]
  }
  const batch = batchSizes[index]
  if (batch === undefined) return against(streams, 1.3, 'stage ÷ Kafka Streams EOS v2, 100 ms commits')
  return [
    ...against(franzGo, [1.5, 1, 0.8][index] as number, `stage ÷ franz-go, ${batch} records per transaction`),
    ...against(oursAtLeastOnce, 0.9, `exactly once ÷ at least once, ours, ${batch} records per transaction`),
    ...against(bareLoop, 0.97, `stage ÷ bare loop of the client, ${batch} records per transaction`)
  ]
}

const slug = (name: string): string => name.replaceAll(/\W+/g, '-')
const outputOf = (name: string): string => `bench-stage-out-${slug(name)}`
