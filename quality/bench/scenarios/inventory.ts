import * as statements from '../../../services/inventory/store/statements.ts'
import { costOf, familySecondsOf } from '../measure/cpu-time.ts'
import { interleave } from '../measure/interleave.ts'
import { median, ratiosByRound, spreadOf } from '../measure/statistics.ts'
import { createBenchTopics, fillTopic } from '../orders/fill-topic.ts'
import { connectLocalTopics, schemaIDs } from '../orders/local-topics.ts'
import type { Demand } from '../orders/make-orders.ts'
import { startOurs } from '../peers/ours.ts'
import type { Work, Worker } from '../peers/worker.ts'
import { profile } from '../profile/profile.ts'
import { barPlot, short } from '../report/plot.ts'
import { figureTable, type Target } from '../report/scenario-report.ts'
import type { Scenario, ScenarioContext } from '../scenario.ts'
import { runSQL } from '../servers.ts'

// The whole reservation: each batch of orders is decided in one Postgres transaction, and its
// outcomes and offsets are committed in one Kafka transaction. All contestants run the SQL of our
// store. Each turn has a separate database, whose rows are counted afterwards.

interface Contestant {
  readonly name: string
  readonly worker: Worker
}

interface Turn extends Contestant {
  readonly demand: Demand
  /** Worker that fills the stock, so that no contestant does so in its turn. */
  readonly preparer: Worker
}

interface Sample extends Work {
  readonly brokerSeconds: number | undefined
  readonly postgresSeconds: number | undefined
}

const ours = 'our inventory'
const java = 'Java: plain client, JDBC'
const go = 'Go: franz-go, pgx'
const demands: readonly Demand[] = ['uniform', 'hot']
const partitions = 4
const batch = 2_000

export const benchInventory: Scenario = async context => {
  const { servers, arguments: given, say } = context
  const records = given.quick ? 5_000 : 30_000
  const rounds = given.quick ? 1 : 4
  const topics = await connectLocalTopics()
  for (const demand of demands) {
    await createBenchTopics(servers.connection, [inputOf(demand)], partitions)
    await fillTopic(servers.connection, { topic: topics.ordersCreated, name: inputOf(demand), records, demand })
  }
  const contestants = await startContestants(context)
  const preparer = startOurs('inventory-worker')
  try {
    const turns = contestants.flatMap(contestant => demands.map(demand => ({ ...contestant, demand })))
    say(`inventory: ${turns.length * (rounds + 1)} turns of ${records} orders`)
    const samples = await interleave(turns, rounds, (turn, round) =>
      runTurn(context, { ...turn, preparer }, records, round)
    )
    const byName = new Map([...samples].map(([{ name, demand }, list]) => [titleOf(name, demand), list]))
    const markdown = [
      `${records} orders in ${partitions} partitions, at most ${batch} per transaction, two lines each: both for any of 2,000 SKUs (uniform), or the ` +
        `first for the same SKU in all orders (hot); medians of ${rounds} rounds in turns. Postgres does not sync to disk, for all contestants.`,
      describe(byName, records),
      await profileOurs(context, preparer, records)
    ].join('\n\n')
    return {
      title: 'The reservation with Postgres',
      markdown,
      plots: plotOf(byName, records),
      targets: targetsOf(byName, records)
    }
  } finally {
    await Promise.all([preparer, ...contestants.map(({ worker }) => worker)].map(worker => worker.stop()))
  }
}

function profileOurs(context: ScenarioContext, preparer: Worker, records: number): Promise<string> {
  return profile(context, {
    scenario: 'inventory',
    skipMs: 8_000,
    async run(argumentsFor) {
      const worker = startOurs('inventory-worker', argumentsFor(ours))
      const turn = { name: ours, worker, demand: 'uniform', preparer } as const
      try {
        for (let round = 0; round < 8; round++) await runTurn(context, turn, records, `profiled-${round}`)
      } finally {
        await worker.stop()
      }
    }
  })
}

async function startContestants({ peers }: ScenarioContext): Promise<Contestant[]> {
  const found: Contestant[] = [{ name: ours, worker: startOurs('inventory-worker') }]
  for (const [language, name] of [
    ['java', java],
    ['go', go]
  ] as const) {
    const worker = await peers.start(language, 'inventory')
    if (worker !== undefined) found.push({ name, worker })
  }
  return found
}

async function runTurn(
  { servers }: ScenarioContext,
  { name, worker, demand, preparer }: Turn,
  records: number,
  round: number | string
): Promise<Sample> {
  const id = `bench-inventory-${round}-${titleOf(name, demand).replaceAll(/\W+/g, '-')}`
  const [output, failedOutput] = [`${id}-reserved`, `${id}-failed`]
  const databaseURL = await servers.createDatabase()
  const { username: user, password, host, pathname } = new URL(databaseURL)
  await createBenchTopics(servers.connection, [output, failedOutput], partitions)
  await preparer.ask({ databaseURL, prepareDatabase: true })
  const task = {
    brokers: servers.broker,
    input: inputOf(demand),
    output,
    failedOutput,
    group: id,
    records,
    batch,
    reservedSchemaID: schemaIDs.inventoryReserved,
    failedSchemaID: schemaIDs.inventoryFailed,
    databaseURL,
    database: { user, password, address: `${host}${pathname}` },
    sql
  }
  const clocks = { broker: servers.brokerPID, postgres: () => familySecondsOf(servers.postgresPID) }
  const { result, cpuSeconds } = await costOf(clocks, () => worker.ask(task))
  const [counted] = await runSQL(databaseURL, 'SELECT count(*)::int AS outcomes FROM inventory.outcomes')
  if (counted?.outcomes !== records) throw new Error(`${name} decided ${counted?.outcomes} of ${records} orders`)
  await servers.dropDatabase(databaseURL)
  return { ...result, brokerSeconds: cpuSeconds.broker, postgresSeconds: cpuSeconds.postgres }
}

const sql = {
  lockStock: statements.lockStock([]).text,
  findOutcomes: statements.findOutcomes([]).text,
  drawSequences: statements.drawSequences(0).text,
  takeStock: statements.moveStock(new Map()).text,
  insertOutcomes: statements.insertOutcomes([], new Date(0)).text,
  insertReservationLines: statements.insertReservationLines([]).text
}

function describe(byName: ReadonlyMap<string, readonly Sample[]>, records: number): string {
  const rows = [...byName].map(([title, samples]) => {
    const rate = spreadOf(samples.map(({ seconds }) => records / seconds))
    const own = byName.get(titleOf(ours, title.endsWith('hot') ? 'hot' : 'uniform')) ?? []
    const costs = costsOf(samples, records)
    return [
      title,
      short(rate.median),
      `${short(rate.lowest)} – ${short(rate.highest)}`,
      ratiosByRound(own, samples, ({ seconds }) => 1 / seconds).median.toFixed(2),
      costs.ownUs,
      costs.postgresUs,
      costs.brokerUs
    ]
  })
  return figureTable(['', 'orders/s', 'spread', 'ours ÷ this', 'CPU µs', 'Postgres CPU µs', 'broker CPU µs'], rows)
}

/** Returns median costs per order. */
function costsOf(samples: readonly Sample[], records: number) {
  const us = (pick: (sample: Sample) => number | undefined) => {
    const seconds = samples.map(pick)
    return seconds.includes(undefined) ? '–' : ((median(seconds as number[]) / records) * 1e6).toFixed(1)
  }
  return {
    ownUs: us(({ cpuSeconds }) => cpuSeconds),
    postgresUs: us(({ postgresSeconds }) => postgresSeconds),
    brokerUs: us(({ brokerSeconds }) => brokerSeconds)
  }
}

function plotOf(byName: ReadonlyMap<string, readonly Sample[]>, records: number): Record<string, string> {
  const bars = [...byName].map(([label, samples]) => {
    const { median: value, lowest, highest } = spreadOf(samples.map(({ seconds }) => records / seconds))
    return { label, value, lowest, highest }
  })
  return { rate: barPlot('The reservation with Postgres', 'orders per second', bars) }
}

function targetsOf(byName: ReadonlyMap<string, readonly Sample[]>, records: number): Target[] {
  const compare = (what: string, wanted: number, titles: readonly [string, string]): Target[] => {
    const [some, others] = titles.map(title => byName.get(title) ?? []) as [readonly Sample[], readonly Sample[]]
    if (others.length === 0) return []
    const range = ratiosByRound(some, others, ({ seconds }) => 1 / seconds)
    const [mine, theirs] = [costsOf(some, records), costsOf(others, records)]
    const why =
      `an order takes ${mine.ownUs} µs of CPU time in the contestant, ${mine.postgresUs} µs in Postgres and ${mine.brokerUs} µs in the broker, compared to ${theirs.ownUs}, ` +
      `${theirs.postgresUs} and ${theirs.brokerUs} µs. *CPU time by package* attributes the time of ours.`
    return [{ what, wanted, direction: 'at least', measured: range.median, range, why }]
  }
  const uniform = titleOf(ours, 'uniform')
  return [
    ...compare('inventory ÷ the Java program', 1, [uniform, titleOf(java, 'uniform')]),
    ...compare('one hot SKU ÷ uniform SKUs, ours', 0.9, [titleOf(ours, 'hot'), uniform])
  ]
}

const inputOf = (demand: Demand): string => `bench-inventory-${demand}`
const titleOf = (name: string, demand: Demand): string => `${name}, ${demand}`
