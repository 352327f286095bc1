import { existsSync } from 'node:fs'
import { chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loopback } from '../processes/ports.ts'
import { runToEnd, type Supervisor } from '../processes/supervisor.ts'
import { waitUntilHealthy } from '../processes/wait.ts'
import type { RunningComponent } from './component.ts'
import { findPostgresBinaries } from './postgres-binaries.ts'
import { type DatabaseAccess, prepareCredentials, superuser } from './postgres-credentials.ts'
import { prepareDatabase, query } from './postgres-database.ts'
import { clearLockFile } from './postgres-lock-file.ts'
import { type PostgresHome, planPostgresHome } from './postgres-user.ts'

export interface PostgresOptions {
  readonly supervisor: Supervisor
  readonly dataDirectory: string
  readonly port: number
  /** False disables syncing to disk, for data that is deleted after the run. */
  readonly durable: boolean
  /** Additional settings of the server. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface RunningPostgres extends RunningComponent {
  readonly access: DatabaseAccess
}

/** Starts a Postgres with the database `orderly` and its roles. */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const startedAt = performance.now()
  const server = await startPostgresServer(options)
  try {
    await prepareDatabase(server.access, 'orderly', { passwords: server.access.passwords })
  } catch (error) {
    await server.stop()
    throw error
  }
  return { ...server, startMs: Math.round(performance.now() - startedAt) }
}

/**
 * Starts only the server, which may be a standby. It listens on loopback only, without a Unix
 * socket. It accepts only the passwords that were generated for its data and stored in a file next
 * to the data folder.
 */
export async function startPostgresServer(options: PostgresOptions): Promise<RunningPostgres> {
  const startedAt = performance.now()
  const { dataDirectory, port, supervisor } = options
  await clearLockFile(dataDirectory)
  const isNew = !existsSync(join(dataDirectory, 'PG_VERSION'))
  // initdb refuses the remains of an interrupted first start.
  if (isNew) await rm(dataDirectory, { recursive: true, force: true })
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 })
  const access = await prepareCredentials({ dataDirectory, address: `${loopback}:${port}` }, isNew)
  const home = await planPostgresHome(dataDirectory, await findPostgresBinaries())
  try {
    if (isNew) await initialise(options, home, access)
  } catch (error) {
    await home.release()
    throw error
  }
  const child = supervisor.start({
    name: 'postgres',
    command: home.binaries.postgres,
    args: ['-D', home.dataPath, ...serverArguments(options)],
    cwd: dataDirectory,
    // Fast shutdown: rolls back open transactions without waiting for clients.
    stopSignal: 'SIGINT',
    ...(home.user ? { user: home.user } : {})
  })
  void child.exited.catch(() => {}).then(home.release)
  const answers = async () => {
    await query(access.superuserURL(), 'select 1')
    return true
  }
  try {
    await waitUntilHealthy(child, answers, 30_000)
  } catch (error) {
    await child.stop()
    throw error
  }
  return {
    name: 'postgres',
    address: `postgres://${loopback}:${port}/orderly`,
    access,
    processes: [child],
    startMs: Math.round(performance.now() - startedAt),
    isHealthy: () => answers().catch(() => false),
    stop: async () => void (await child.stop())
  }
}

function serverArguments({ port, durable, settings = {} }: PostgresOptions): string[] {
  const all = {
    listen_addresses: loopback,
    port,
    unix_socket_directories: '',
    max_connections: 200,
    shared_buffers: '32MB',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
    ...settings
  }
  return Object.entries(all).flatMap(([key, value]) => ['-c', `${key}=${value}`])
}

async function initialise(
  { supervisor, dataDirectory, durable }: PostgresOptions,
  { binaries, dataPath, user }: PostgresHome,
  access: DatabaseAccess
): Promise<void> {
  // Not next to the data: the user of the process may be unable to enter that folder.
  const directory = await mkdtemp(join(tmpdir(), 'orderly-initdb-'))
  const passwordFile = join(directory, 'password')
  try {
    await writeFile(passwordFile, decodeURIComponent(new URL(access.superuserURL()).password), { mode: 0o600 })
    if (user !== undefined) {
      for (const path of [directory, passwordFile, dataDirectory]) await chown(path, user.uid, user.gid)
    }
    await runToEnd(supervisor, {
      name: 'postgres-init',
      command: binaries.initdb,
      args: [
        `--pgdata=${dataPath}`,
        `--username=${superuser}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        ...(durable ? [] : ['--no-sync'])
      ],
      cwd: dataDirectory,
      env: { ...process.env, LC_ALL: 'C' },
      ...(user ? { user } : {})
    })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
