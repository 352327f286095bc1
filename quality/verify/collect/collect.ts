import { readFile } from 'node:fs/promises'
import type {
  ChangeRequestBody,
  GroupDescription,
  History,
  Incarnation,
  OrderRequest,
  Recovery
} from '../history/history.ts'
import type { StatusReads } from '../history/status-reads.ts'
import type { StockHistory } from '../history/stock.ts'
import type { Topology } from '../plan/faults.ts'
import { parseJournal } from '../preload/journal.ts'
import type { Readers } from '../readers/readers.ts'
import type { Injector } from '../run/inject.ts'
import type { Machine } from '../run/machine.ts'
import type { Servers } from '../run/servers.ts'
import type { WebhookTarget } from '../run/webhook-target.ts'
import { dumpAudit } from './audit.ts'
import { collectExhausted } from './exhausted.ts'
import type { KafkaLog } from './kafka-log.ts'
import { parseNotifications } from './notifications.ts'
import { dumpTables } from './tables.ts'
import { dumpTopics } from './topics.ts'

export interface CollectOptions {
  readonly seed: number
  readonly topology: Topology
  readonly startedAtMs: number
  readonly initialStock: Readonly<Record<string, number>>
  readonly requests: readonly OrderRequest[]
  readonly changeRequests: readonly ChangeRequestBody[]
  readonly injector: Pick<Injector, 'faults' | 'poison'>
  readonly webhooks: Pick<WebhookTarget, 'target' | 'attempts'>
  readonly incarnations: readonly { readonly record: Incarnation; readonly journal: string; readonly logFile: string }[]
  readonly recoveries: readonly Recovery[]
  readonly statusReads: StatusReads
  readonly stock: StockHistory
  readonly readers: Pick<Readers, 'finish'>
  readonly machine: Machine
  readonly groups: readonly GroupDescription[]
  readonly log: KafkaLog
  readonly servers: Servers
}

/** Collects all data of a run into a history. */
export async function collect(options: CollectOptions): Promise<History> {
  const {
    seed,
    topology,
    startedAtMs,
    initialStock,
    requests,
    changeRequests,
    injector,
    recoveries,
    groups,
    log,
    servers
  } = options
  const endedAtMs = Date.now()
  const names = groups.map(({ group }) => group)
  const [topics, tables] = [await dumpTopics(log, servers.registryURL, names), await dumpTables(servers.databaseURL)]
  const passes: History['passes'][number][] = []
  const notifications: History['notifications'][number][] = []
  for (const { record, journal, logFile } of options.incarnations) {
    const lines = parseJournal(await readFile(journal, 'utf8').catch(() => ''))
    for (const line of lines) passes.push({ pid: record.pid, ...line })
    if (record.service === 'notification') {
      notifications.push(...parseNotifications(await readFile(logFile, 'utf8'), record))
    }
  }
  return {
    seed,
    brokers: topology.brokers,
    instances: topology.instances,
    startedAtMs,
    endedAtMs,
    initialStock,
    requests,
    changeRequests,
    poison: injector.poison,
    faults: injector.faults.toSorted((a, b) => a.startedAtMs - b.startedAtMs),
    incarnations: options.incarnations.map(({ record }) => record),
    passes,
    ...topics,
    reads: await options.readers.finish(topics.records, options.machine),
    groups,
    tables,
    ...(servers.hasConnect && { audit: await dumpAudit(servers.databaseURL, log) }),
    notifications,
    webhooks: {
      target: options.webhooks.target,
      attempts: options.webhooks.attempts,
      exhausted: await collectExhausted(log)
    },
    recoveries,
    statusReads: options.statusReads,
    stock: options.stock,
    machine: options.machine.samples
  }
}
