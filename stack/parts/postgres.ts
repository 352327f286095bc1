import { existsSync } from 'node:fs'
import { chown, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { loopback } from '../processes/ports.ts'
import { runToEnd, type Supervisor } from '../processes/supervisor.ts'
import { waitUntilHealthy } from '../processes/wait.ts'
import type { RunningPart } from './part.ts'
import { findPostgresBinaries } from './postgres-binaries.ts'
import { clearLockFile } from './postgres-lock-file.ts'
import { type PostgresUserPlan, planPostgresUser } from './postgres-user.ts'

const user = 'orderly'
/** Not a secret: the server listens on loopback only and holds what a developer tries out. */
const password = 'orderly'

export interface PostgresOptions {
  readonly supervisor: Supervisor
  readonly dataDirectory: string
  readonly port: number
  /** false: writes are not forced to disk, for data that is thrown away with the run. */
  readonly durable: boolean
}

export interface RunningPostgres extends RunningPart {
  readonly databaseURL: string
}

export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const startedAt = performance.now()
  const binaries = await findPostgresBinaries()
  const plan = await planPostgresUser([options.dataDirectory, binaries.postgres])
  await clearLockFile(options.dataDirectory)
  const isNew = !existsSync(join(options.dataDirectory, 'PG_VERSION'))
  if (isNew) await initialise(options, binaries.initdb, plan)

  const [command = binaries.postgres, ...args] = [...plan.prefix, binaries.postgres, ...serverArguments(options)]
  const child = options.supervisor.start({
    name: 'postgres',
    command,
    args,
    cwd: options.dataDirectory,
    // Fast shutdown: open transactions are rolled back, nobody is waited for.
    stopSignal: 'SIGINT',
    ...(plan.user ? { user: plan.user } : {})
  })
  const url = (database: string) => `postgres://${user}:${password}@${loopback}:${options.port}/${database}`
  const answers = async () => {
    await query(url('postgres'), 'select 1')
    return true
  }
  try {
    await waitUntilHealthy(child, answers, 30_000)
    if (isNew) await query(url('postgres'), 'create database orderly')
  } catch (error) {
    await child.stop()
    throw error
  }
  return {
    name: 'postgres',
    address: url('orderly'),
    databaseURL: url('orderly'),
    processes: [child],
    startMs: Math.round(performance.now() - startedAt),
    isHealthy: () => answers().catch(() => false),
    stop: async () => void (await child.stop())
  }
}

/** Runs one statement on a connection of its own. */
export async function query(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3000 })
  client.on('error', () => {})
  try {
    await client.connect()
    return (await client.query(statement)).rows
  } finally {
    await client.end().catch(() => {})
  }
}

function serverArguments({ dataDirectory, port, durable }: PostgresOptions): string[] {
  const settings = {
    listen_addresses: loopback,
    port,
    unix_socket_directories: '',
    max_connections: 200,
    shared_buffers: '32MB',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' })
  }
  return ['-D', dataDirectory, ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`])]
}

async function initialise(
  { supervisor, dataDirectory, durable }: PostgresOptions,
  initdb: string,
  plan: PostgresUserPlan
): Promise<void> {
  // What an interrupted first start left would be refused.
  await rm(dataDirectory, { recursive: true, force: true })
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 })
  const passwordFile = `${dataDirectory}.password`
  await writeFile(passwordFile, password, { mode: 0o600 })
  const { uid, gid } = plan.owner ?? {}
  if (uid !== undefined && gid !== undefined) {
    await chown(dataDirectory, uid, gid)
    await chown(passwordFile, uid, gid)
  }
  const initdbArguments = [
    `--pgdata=${dataDirectory}`,
    `--username=${user}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    ...(durable ? [] : ['--no-sync'])
  ]
  const [command = initdb, ...args] = [...plan.prefix, initdb, ...initdbArguments]
  try {
    await runToEnd(supervisor, {
      name: 'postgres-init',
      command,
      args,
      cwd: dataDirectory,
      env: { ...process.env, LC_ALL: 'C' },
      ...(plan.user ? { user: plan.user } : {})
    })
  } finally {
    await rm(passwordFile, { force: true })
  }
}
