import { availableParallelism } from 'node:os'
import { createApiKeyStore, runApiKeys } from '@orderly/callers'
import { createPool } from '@orderly/postgres'
import type { ClosedLoop, Load } from '../load/closed-loop.ts'
import { costOf, familySecondsOf, mainThreadSecondsOf } from '../measure/cpu-time.ts'
import { interleave } from '../measure/interleave.ts'
import { median, ratiosByRound } from '../measure/statistics.ts'
import type { PartContext } from '../part.ts'
import { resetTopics } from '../pipeline.ts'
import { figure, markdownTable, type Target } from '../report/part-report.ts'
import { short } from '../report/plot.ts'
import type { BenchServers } from '../servers.ts'
import { startService } from '../services.ts'

/**
 * What each feature on the way of `POST /orders` costs: the same service with it and without. They run one after the other, each on topics
 * and in a database without a past: a projection that still reads what another one was sent would take its time from whoever has its turn.
 */
interface Variant {
  readonly name: string
  /** What it has less than this one. */
  readonly without?: Variant
  readonly hasDatabase: boolean
  readonly needsCallers?: boolean
  readonly isKeyed?: boolean
}

/** How a contestant is measured: by so many requests at a time, for so long, so often, once its threads and compiled code are there. */
export interface Turns {
  readonly connections: number
  readonly seconds: number
  readonly rounds: number
  readonly warmUpSeconds: number
}

interface Sample {
  readonly rate: number
  /** Processor time for an order: of the whole service, of its thread that answers, of Postgres. */
  readonly cpuUs: number
  readonly answeringUs: number
  readonly postgresUs: number
}

const alone: Variant = { name: 'no database: no status, no keys', hasDatabase: false }
const status: Variant = { name: 'status projection', without: alone, hasDatabase: true }
const callers: Variant = { name: 'API keys and quotas', without: status, hasDatabase: true, needsCallers: true }
const keyed: Variant = { name: 'an `Idempotency-Key`', without: status, hasDatabase: true, isKeyed: true }
const variants = [alone, status, callers, keyed]

/** Nobody listens there: orders without a key need no database. */
export const noDatabase = { DATABASE_URL: 'postgres://nobody:nothing@127.0.0.1:9/none' }

export async function compareFeatures(
  { servers, say }: PartContext,
  load: ClosedLoop,
  { connections, seconds, rounds, warmUpSeconds }: Turns
): Promise<{ markdown: string; targets: Target[] }> {
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
        const us = (name: keyof typeof clocks) => ((cpuSeconds[name] ?? Number.NaN) / result.requests) * 1e6
        return {
          rate: (result.requests - result.errors) / seconds,
          cpuUs: us('service'),
          answeringUs: us('answering'),
          postgresUs: us('postgres')
        }
      } finally {
        await service.stop()
        await drop()
      }
    },
    { warmUpRounds: 0 }
  )
  const ratioOf = (variant: Variant, pick: (sample: Sample) => number) =>
    ratiosByRound(samples.get(variant) ?? [], samples.get(variant.without ?? variant) ?? [], pick)
  const medianOf = (variant: Variant, pick: (sample: Sample) => number) =>
    median((samples.get(variant) ?? []).map(pick))
  const picks = ['rate', 'cpuUs', 'answeringUs', 'postgresUs'] as const
  const rows = variants.map(variant => {
    const { name, without } = variant
    const [rate, ...costs] = picks.map(pick => medianOf(variant, sample => sample[pick])) as [number, ...number[]]
    const compared = (['rate', 'cpuUs', 'answeringUs'] as const).map(pick =>
      without === undefined ? '' : figure(ratioOf(variant, sample => sample[pick]).median)
    )
    return [name, short(rate), ...costs.map(figure), without?.name ?? '', ...compared]
  })
  const markdown = [
    '## What each feature costs',
    `The same service with it and without, ${seconds} s a turn, medians of ${rounds} rounds. Each turn begins with a new process on topics and in a database without a past. CPU is that of the ` +
      'whole process, the thread of the projection as well, which reads all orders back; *answering* is that of the thread that answers requests alone.',
    markdownTable(
      [
        ...['with', 'orders/s', 'CPU µs', 'answering µs', 'Postgres µs', 'compared with'],
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
      `the load, the service, its projection, the broker and Postgres share ${availableParallelism()} cores that have nothing left over. An order takes ${more(sample => sample.cpuUs)} ` +
      `more in the service, of which ${more(sample => sample.answeringUs)} are the answering thread's, and ${more(sample => sample.postgresUs)} more in Postgres; where these have a core to ` +
      'themselves, requests only notice the first of them.'
    const rates = ratioOf(variant, ({ rate }) => rate)
    const answering = ratioOf(variant, ({ answeringUs }) => answeringUs)
    return [
      { what, wanted: 0.9, direction: 'at least', measured: rates.median, range: rates, why },
      {
        what: `${what}: processor time of the thread that answers`,
        wanted: 1.1,
        direction: 'at most',
        measured: answering.median,
        range: answering,
        why:
          `an order takes ${more(sample => sample.answeringUs)} more of that thread. Its work is the same with the projection, which is a thread of its own, so what is more comes of ` +
          `sharing ${availableParallelism()} cores with it and with Postgres: caches are filled anew, and two threads on one core's two halves slow each other down. With API keys it has a key to ` +
          'look up and a quota to count.'
      }
    ]
  })
  return { markdown, targets }
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

/** For a shop with a quota that no benchmark uses up. */
async function grantKey(databaseURL: string): Promise<string> {
  const pool = createPool({ url: databaseURL, maxConnections: 1, applicationName: 'bench', statementTimeoutMs: 10_000 })
  try {
    const store = createApiKeyStore(pool)
    const printed: string[] = []
    const output = { out: (text: string) => void printed.push(text), note: () => {} }
    await runApiKeys('create --name bench --role shop --requests-per-minute 60000000'.split(' '), store, output)
    return printed.join()
  } finally {
    await pool.end()
  }
}
