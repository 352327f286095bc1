import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import type { KafkaConnection } from '@orderly/kafka'
import {
  type CommandContext,
  createRunDirectories,
  freeServerPorts,
  planServers,
  prepareDatabase,
  type Supervisor,
  showSteps
} from '@orderly/launcher'
import { type DatabaseRole, ownerRole } from '@orderly/postgres'
import pg from 'pg'
import { migrateAll } from '../../deploy/postgres/schemas.ts'

export interface BenchServers {
  readonly supervisor: Supervisor
  readonly broker: string
  readonly connection: KafkaConnection
  readonly registryURL: string
  readonly brokerPID: number
  /** Process id of the main process of Postgres. */
  readonly postgresPID: number
  readonly logs: string
  /** Creates a database with all schemas. @returns its URL for the owner of the schemas */
  createDatabase(): Promise<string>
  /** Returns the URL of a database for another role. */
  databaseURLAs(role: DatabaseRole, url: string): string
  dropDatabase(url: string): Promise<void>
}

/**
 * Runs real servers on free ports with temporary data; Postgres does not sync to disk, for all
 * contestants.
 */
export async function withServers<Result>(
  context: CommandContext,
  use: (servers: BenchServers) => Promise<Result>
): Promise<Result> {
  const directories = createRunDirectories(`bench-${process.pid}`)
  const supervisor = context.supervise(directories.logs)
  let isDone = false
  try {
    const { steps, servers } = planServers({ supervisor, directories, ports: await freeServerPorts(), durable: false })
    await showSteps(steps)
    const { kafka, postgres, registry } = await servers
    if (kafka === undefined || postgres === undefined || registry === undefined)
      throw new Error('the plan lacks a server')
    const broker = kafka.brokers[0] as string
    const result = await use({
      supervisor,
      broker,
      connection: { brokers: [broker], clientID: 'bench' },
      registryURL: registry.address,
      brokerPID: kafka.processes[0]?.pid ?? 0,
      postgresPID: postgres.processes[0]?.pid ?? 0,
      logs: directories.logs,
      async createDatabase() {
        const name = `bench_${randomBytes(4).toString('hex')}`
        await prepareDatabase(postgres.access, name)
        await migrateAll(postgres.access.urlOf(ownerRole, name), { logger: { info: () => {}, warn: () => {} } })
        return postgres.access.urlOf(ownerRole, name)
      },
      databaseURLAs: postgres.access.as,
      async dropDatabase(url) {
        await runSQL(
          postgres.access.superuserURL(),
          `DROP DATABASE IF EXISTS ${new URL(url).pathname.slice(1)} WITH (FORCE)`
        )
      }
    })
    isDone = true
    return result
  } finally {
    await supervisor.stop()
    await rm(isDone ? directories.run : directories.data, { recursive: true, force: true })
    if (!isDone) process.stderr.write(`Logs: ${directories.logs}\n`)
  }
}

export async function runSQL(databaseURL: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: databaseURL })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}
