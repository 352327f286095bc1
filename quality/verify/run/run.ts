import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { topicNames } from '@orderly/contracts'
import { createProducer } from '@orderly/kafka'
import type { RunDirectories, ServiceName, Supervisor } from '@orderly/launcher'
import { deliveryPolicy } from '../checker/guarantees/all-delivered.ts'
import { ratePolicy } from '../checker/guarantees/rates-add-up.ts'
import { collect } from '../collect/collect.ts'
import { KafkaLog } from '../collect/kafka-log.ts'
import type { History, Recovery } from '../history/history.ts'
import { planFaults, type Topology, type Weights } from '../plan/faults.ts'
import { allUsers, planLoad, planStock } from '../plan/load.ts'
import { type Readers, startReaders } from '../readers/readers.ts'
import { driveLoad } from './drive-load.ts'
import { driveStock, type StockDriver } from './drive-stock.ts'
import { Fleet } from './fleet.ts'
import { createInjector } from './inject.ts'
import { Machine } from './machine.ts'
import { observeStatus, type StatusObserver } from './observe-status.ts'
import {
  allAudited,
  allHoldsEnded,
  allMovementsPublished,
  allNotified,
  allRatesPublished,
  groups,
  measureRecovery
} from './recovery.ts'
import type { Servers } from './servers.ts'
import { startWebhookTarget } from './webhook-target.ts'

export interface RunOptions {
  readonly seed: number
  readonly durationMs: number
  readonly requestsPerSecond: number
  readonly topology: Topology
  /** Weights of the kinds of faults; `usualWeights` by default. */
  readonly weights?: Weights | undefined
  readonly services?: readonly string[] | undefined
  readonly points?: readonly string[] | undefined
  /** Numbers of the planned faults to inject; all by default. */
  readonly faults?: readonly number[] | undefined
  readonly mutant?: string | undefined
  /** Root of the code that the services start with; the working tree by default. */
  readonly directory?: string
  /** Disturbs the services under load; replaces the planned faults. */
  readonly disturb?: (fleet: Fleet) => Promise<void>
  /** Prefix of log file names. */
  readonly label?: string
}

export interface RunContext {
  readonly supervisor: Supervisor
  readonly directories: RunDirectories
  readonly servers: Servers
  readonly signal: AbortSignal
  readonly note: (text: string) => void
}

/** Bound for the start of all services. The machine extends it. */
const readyBoundMs = 60_000

/**
 * Starts the services, runs planned load and faults, heals, waits for completion, and collects the
 * history.
 */
export async function run(options: RunOptions, context: RunContext): Promise<History> {
  const { seed, durationMs, requestsPerSecond, topology } = options
  const { servers, supervisor, directories, signal, note } = context
  const journals = join(directories.run, 'journals')
  mkdirSync(journals, { recursive: true })
  const initialStock = planStock(seed, (requestsPerSecond * durationMs) / 1_000)
  const stockFile = join(directories.run, 'stock.csv')
  writeFileSync(
    stockFile,
    `sku,available\n${Object.entries(initialStock)
      .map(row => row.join(','))
      .join('\n')}\n`
  )

  const log = new KafkaLog(servers.brokers)
  const producer = await createProducer({ brokers: servers.brokers, clientID: 'orderly-verify' })
  const webhooks = await startWebhookTarget(seed)
  const machine = new Machine(directories.run)
  const fleet = new Fleet({
    supervisor,
    journals,
    label: options.label ?? '',
    env: { ...environmentOf(servers, stockFile), ...webhooks.environment },
    ownEnv: (service, instance) => ({
      DATABASE_URL: servers.proxied.databaseURL(`orderly_${service}`),
      ...(servers.hasConnect && mixVersions(instance))
    }),
    mutant: options.mutant,
    directory: options.directory,
    note
  })
  let status: StatusObserver | undefined
  let readers: Readers | undefined
  let stock: StockDriver | undefined
  try {
    const readersOptions = { mutant: options.mutant, journals, label: options.label ?? '' }
    readers = await startReaders({ supervisor, brokers: servers.proxied.brokers, ...readersOptions })
    for (const [service, count] of Object.entries(topology.instances)) {
      for (let index = 1; index <= count; index++) await fleet.start(service as ServiceName, index)
    }
    await fleet.allReady(machine.startBound(readyBoundMs))
    const startedAtMs = Date.now()
    const injector = createInjector({ fleet, servers, producer, note })
    const recoveries: Recovery[] = []
    const endpoints = () => fleet.urlsOf('order')
    status = observeStatus({ seed, users: allUsers, endpoints })
    const load = driveLoad(planLoad(seed, { requestsPerSecond }), endpoints, status.follow)
    stock = driveStock({
      seed,
      skus: Object.keys(initialStock),
      endpoints: () => fleet.urlsOf('inventory'),
      databaseURL: servers.databaseURL
    })
    note(options.disturb === undefined ? `load and faults for ${durationMs / 1_000} s` : 'load')

    const disturbed = options.disturb === undefined ? injectPlannedFaults() : options.disturb(fleet)
    await disturbed.catch(error => {
      void load.stop()
      throw error
    })
    const stopping = load.stop()
    recoveries.push(await recover())
    const { requests, changeRequests } = await stopping
    const blockedUsers = injector.poison.filter(({ topic }) => topic === topicNames.ordersChanges).map(({ key }) => key)
    note('waiting for the end of the last hold and for all notifications')
    const waiting = { machine, databaseURL: servers.databaseURL, signal }
    await allHoldsEnded(blockedUsers, waiting).catch(error => note(error.message))
    // The last orders must be processed before the history is collected.
    await measureRecovery(log, machine, [], signal)
    const stockHistory = await stock.stop()
    for (const isDone of [allNotified, allRatesPublished, allMovementsPublished]) {
      await isDone(waiting).catch(error => note(error.message))
    }
    await status.stop()
    await status.readFinalLists(signal)

    async function injectPlannedFaults(): Promise<void> {
      // If recovery takes longer than planned, all later faults are delayed by the difference.
      let lateMs = 0
      const planned = planFaults({ seed, durationMs, topology, ...planLimits(options) })
      for (const [number, plan] of planned.entries()) {
        if (options.faults?.includes(number) === false) continue
        await delay(Math.max(0, startedAtMs + plan.atMs + lateMs - Date.now()), undefined, { signal })
        if (plan.kind === 'heal') recoveries.push(await recover())
        else injector.inject(plan)
        lateMs = Math.max(lateMs, Date.now() - startedAtMs - plan.atMs)
      }
      await delay(Math.max(0, startedAtMs + durationMs + lateMs - Date.now()), undefined, { signal })
    }

    async function recover(): Promise<Recovery> {
      note('healing')
      const kinds = await injector.heal()
      const recovery = await measureRecovery(log, machine, kinds.length > 0 ? kinds : ['nothing'], signal)
      note(recovery.tookMs === undefined ? `not recovered: ${recovery.missing}` : `recovered in ${recovery.tookMs} ms`)
      return recovery
    }

    note('stopping the services')
    await fleet.stop()
    if (servers.hasConnect) await allAudited(log, waiting).catch(error => note(error.message))
    note('collecting the history')
    return await collect({
      seed,
      topology,
      startedAtMs,
      initialStock,
      requests,
      changeRequests,
      injector,
      webhooks,
      incarnations: fleet.incarnations,
      recoveries,
      statusReads: status.observed,
      stock: stockHistory,
      readers,
      machine,
      groups,
      log,
      servers
    })
  } finally {
    await status?.stop()
    await stock?.stop()
    await readers?.stop()
    await fleet.stop()
    await machine.stop()
    await webhooks.stop()
    await producer.close()
    await log.close()
  }
}

function planLimits({ weights, services, points }: RunOptions) {
  return { ...(weights && { weights }), ...(services && { services }), ...(points && { points }) }
}

/**
 * Makes every second order instance write an older event version, so that all readers process both
 * versions and the audit tables change during the run.
 */
function mixVersions(instance: string): NodeJS.ProcessEnv {
  return /^order-\d*[02468]$/.test(instance) ? { ORDER_CREATED_VERSION: '2' } : {}
}

function environmentOf({ proxied, registryURL }: Servers, stockFile: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    KAFKA_BROKERS: proxied.brokers.join(','),
    SCHEMA_REGISTRY_URL: registryURL,
    SEED_STOCK_FILE: stockFile,
    // A short lease, so that another instance soon sends what a killed instance had claimed.
    NOTIFICATION_LEASE_MS: '3000',
    NOTIFICATION_MAX_ATTEMPTS: String(deliveryPolicy.maxAttempts),
    NOTIFICATION_RETRY_INITIAL_MS: String(deliveryPolicy.firstRetryMs),
    NOTIFICATION_MAX_RETRY_MS: String(deliveryPolicy.maxRetryMs),
    AGGREGATOR_GRACE_MS: String(ratePolicy.graceMs),
    AGGREGATOR_CLOCK_SKEW_MS: String(ratePolicy.clockSkewMs),
    // Clients repeat a request for about four seconds; the lease of a key then ends while they do.
    ORDER_DELIVERY_TIMEOUT_MS: '1500',
    SHUTDOWN_DEADLINE_MS: '12000'
  }
}
