import { availableParallelism } from 'node:os'
import { apiKeysCommandLine, createApiKeyStore, runApiKeys } from '@orderly/callers'
import { parseCommandLine } from '@orderly/command-line'
import { createPool } from '@orderly/postgres'
import type { ClosedLoop, Load } from '../load/closed-loop.ts'
import { startFixedRate } from '../load/fixed-rate.ts'
import { costOf, familySecondsOf, mainThreadSecondsOf } from '../measure/cpu-time.ts'
import { interleave } from '../measure/interleave.ts'
import { median, ratiosByRound } from '../measure/statistics.ts'
import { resetTopics } from '../pipeline.ts'
import { short } from '../report/plot.ts'
import { figure, figureTable, type Target } from '../report/scenario-report.ts'
import type { ScenarioContext } from '../scenario.ts'
import type { BenchServers } from '../servers.ts'
import { startService } from '../services.ts'

// Measures the cost of each feature of `POST /orders`: the same service with and without it. Each
// turn has a new process, topics and database, because a projection that still reads the orders of
// another turn would slow down the current one.

interface Variant {
  readonly name: string
  /** Variant without the feature, for comparison. */
  readonly without?: Variant
  readonly hasDatabase: boolean
  readonly needsCallers?: boolean
  readonly isKeyed?: boolean
}

/** Settings of the turns: concurrent requests, duration, number of rounds, and warm-up. */
export interface Turns {
  readonly connections: number
  readonly seconds: number
  readonly rounds: number
  readonly warmUpSeconds: number
}

interface Sample {
  readonly rate: number
  /** CPU time per order: of the whole service, of its main thread, and of Postgres. */
  readonly cpuUs: number
  readonly answeringUs: number
  readonly postgresUs: number
  /** 99th percentile of the latency at `fixedRate`. */
  readonly p99Ms: number
}

/** Orders per second at which latencies are compared; far below the maximum rate. */
const fixedRate = 1_000

const alone: Variant = { name: 'no database: no status, no keys', hasDatabase: false }
const status: Variant = { name: 'status projection', without: alone, hasDatabase: true }
const callers: Variant = { name: 'API keys and quotas', without: status, hasDatabase: true, needsCallers: true }
const keyed: Variant = {
  name: 'an `Idempotency-Key`',
  without: callers,
  hasDatabase: true,
  needsCallers: true,
  isKeyed: true
}
const variants = [alone, status, callers, keyed]

/** Address without a server, because orders without an idempotency key need no database. */
export const noDatabase = { DATABASE_URL: 'postgres://nobody:nothing@127.0.0.1:9/none' }

export async function compareFeatures(
  { servers, say }: ScenarioContext,
  load: ClosedLoop,
  { connections, seconds, rounds, warmUpSeconds }: Turns
): Promise<{ markdown: string; targets: Target[] }> {
  const steady = startFixedRate()
  const samples = await interleave(
    variants,
    rounds,
    async (variant): Promise<Sample> => {
      say(`order: ${variant.name}`)
      await resetTopics(servers, 4)
      const { env, headers, drop } = await prepare(servers, variant)
      const service = await startService(servers, { service: 'order', label: 'order-features', env })
      try {
        const { isKeyed = false } = variant
        const run = (seconds: number) => load.run(service.url, { connections, seconds, headers, isKeyed })
        await run(warmUpSeconds)
        const { pid } = service.child
        const clocks = {
          service: pid,
          answering: () => mainThreadSecondsOf(pid),
          postgres: () => familySecondsOf(servers.postgresPID)
        }
        const { result, cpuSeconds } = await costOf(clocks, () => run(seconds))
        if (result.errors > 0) say(`order, ${variant.name}: ${result.errors} of ${result.requests} requests failed`)
        const { p99Ms } = await steady.run({ url: service.url, perSecond: fixedRate, seconds, headers, isKeyed })
        const us = (name: keyof typeof clocks) => ((cpuSeconds[name] ?? Number.NaN) / result.requests) * 1e6
        return {
          rate: (result.requests - result.errors) / seconds,
          cpuUs: us('service'),
          answeringUs: us('answering'),
          postgresUs: us('postgres'),
          p99Ms
        }
      } finally {
        await service.stop()
        await drop()
      }
    },
    { warmUpRounds: 0 }
  ).finally(() => steady.stop())
  const ratioOf = (variant: Variant, pick: (sample: Sample) => number) =>
    ratiosByRound(samples.get(variant) ?? [], samples.get(variant.without ?? variant) ?? [], pick)
  const medianOf = (variant: Variant, pick: (sample: Sample) => number) =>
    median((samples.get(variant) ?? []).map(pick))
  const picks = ['rate', 'cpuUs', 'answeringUs', 'postgresUs', 'p99Ms'] as const
  const rows = variants.map(variant => {
    const { name, without } = variant
    const [rate, ...costs] = picks.map(pick => medianOf(variant, sample => sample[pick])) as [number, ...number[]]
    const compared = (['rate', 'cpuUs', 'answeringUs'] as const).map(pick =>
      without === undefined ? '' : figure(ratioOf(variant, sample => sample[pick]).median)
    )
    return [name, short(rate), ...costs.map(figure), without?.name ?? '', ...compared]
  })
  const markdown = [
    '## Cost of each feature',
    `The same service with and without each feature, ${seconds} s per turn, medians of ${rounds} rounds. Each turn has a new process, topics and database. *CPU* is the CPU time per order of the ` +
      'whole process, including the thread of the projection, which reads all orders back; *answering* is that of the thread that answers requests. ' +
      `*p99* is the latency at ${short(fixedRate)} orders/s.`,
    figureTable(
      [
        ...['with', 'orders/s', 'CPU µs', 'answering µs', 'Postgres µs', 'p99 ms', 'compared with'],
        ...['orders/s: with ÷ without', 'CPU: with ÷ without', 'answering: with ÷ without']
      ],
      rows
    )
  ].join('\n\n')
  const targets = [status, callers].flatMap((variant): Target[] => {
    const what = `\`POST /orders\` with ${variant.name} ÷ without`
    const more = (pick: (sample: Sample) => number) => {
      const difference = medianOf(variant, pick) - medianOf(variant.without ?? variant, pick)
      return `${figure(difference)} µs`
    }
    const why =
      `the load generator, the service, its projection, the broker and Postgres share ${availableParallelism()} fully used cores. An order takes ${more(sample => sample.cpuUs)} ` +
      `more in the service, of which ${more(sample => sample.answeringUs)} in the answering thread, and ${more(sample => sample.postgresUs)} more in Postgres. With enough cores, ` +
      'only the time of the answering thread affects requests.'
    const rates = ratioOf(variant, ({ rate }) => rate)
    const answering = ratioOf(variant, ({ answeringUs }) => answeringUs)
    return [
      { what, wanted: 0.9, direction: 'at least', measured: rates.median, range: rates, why },
      {
        what: `${what}: CPU time of the answering thread`,
        wanted: 1.1,
        direction: 'at most',
        measured: answering.median,
        range: answering,
        why:
          `an order takes ${more(sample => sample.answeringUs)} more of that thread. The projection runs in a separate thread and does not change its work, so the difference results from ` +
          `sharing ${availableParallelism()} cores with the projection and Postgres: CPU caches are refilled, and hyper-threads of one core slow each other down. With API keys the thread also ` +
          'looks up a key and counts a quota.'
      }
    ]
  })
  return { markdown, targets: [...targets, ...keyedTargets(samples)] }
}

/** Targets of orders with idempotency keys, compared with orders of callers without them. */
function keyedTargets(samples: ReadonlyMap<Variant, readonly Sample[]>): Target[] {
  const [own, others] = [samples.get(keyed) ?? [], samples.get(callers) ?? []]
  const rates = ratiosByRound(own, others, ({ rate }) => rate)
  const latencies = ratiosByRound(own, others, ({ p99Ms }) => p99Ms)
  const more = (pick: (sample: Sample) => number) => `${figure(median(own.map(pick)) - median(others.map(pick)))} µs`
  const why =
    `an order with a key takes ${more(({ cpuUs }) => cpuUs)} more in the service and ${more(({ postgresUs }) => postgresUs)} more in Postgres, ` +
    'because its key is claimed and its batch is stored and deleted there.'
  return [
    {
      ...{ what: '`POST /orders` with an `Idempotency-Key` ÷ without', wanted: 0.7, direction: 'at least' },
      ...{ measured: rates.median, range: rates, why }
    },
    {
      ...{
        what: `p99 at ${short(fixedRate)} orders/s with an \`Idempotency-Key\` ÷ without`,
        wanted: 1.5,
        direction: 'at most'
      },
      ...{ measured: latencies.median, range: latencies, why }
    }
  ]
}

async function prepare(servers: BenchServers, { hasDatabase, needsCallers }: Variant) {
  const headers: NonNullable<Load['headers']> = {}
  if (!hasDatabase) return { env: noDatabase, headers, drop: async () => {} }
  const url = await servers.createDatabase()
  const drop = () => servers.dropDatabase(url)
  if (!needsCallers) return { env: { DATABASE_URL: url }, headers, drop }
  const env = { DATABASE_URL: url, API_KEYS: 'required' }
  return { env, headers: { authorization: `Bearer ${await grantKey(url)}` }, drop }
}

/** Creates an API key of a shop with a quota that no benchmark exhausts. */
async function grantKey(databaseURL: string): Promise<string> {
  const pool = createPool({ url: databaseURL, maxConnections: 1, applicationName: 'bench', statementTimeoutMs: 10_000 })
  try {
    const store = createApiKeyStore(pool)
    const printed: string[] = []
    const output = { out: (text: string) => void printed.push(text), note: () => {} }
    const words = 'create --name bench --role shop --requests-per-minute 60000000'.split(' ')
    await runApiKeys(parseCommandLine(apiKeysCommandLine, words), store, output)
    return printed.join()
  } finally {
    await pool.end()
  }
}
