import { randomBytes } from 'node:crypto'
import { copyFile, writeFile } from 'node:fs/promises'
import { createConnection, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type DatabaseRole, ownerRole } from '@orderly/postgres'
import { migrateAll } from '../../deploy/postgres/schemas.ts'
import { startPostgres, startPostgresServer } from '../components/postgres.ts'
import { credentialsFileOf } from '../components/postgres-credentials.ts'
import { query } from '../components/postgres-database.ts'
import { freePort, loopback } from '../processes/ports.ts'
import { listProcesses } from '../processes/process-table.ts'
import { waitUntil } from '../processes/wait.ts'
import { takeBaseBackup, takeOwner } from './base-backup.ts'
import { superviseRun } from './supervised-run.ts'

/**
 * A primary with a synchronous standby behind a proxy, which leads to the primary like a virtual
 * address.
 */
export interface PostgresPair {
  /** Returns the address of the database `orderly` through the proxy. */
  urlOf(role: DatabaseRole): string
  /** Runs statements as the superuser on one of the two. */
  ask(server: 'primary' | 'standby', statements: string): ReturnType<typeof query>
  /** Kills every process of the primary. */
  killPrimary(): Promise<void>
  /** Makes the standby the primary. */
  promote(): Promise<void>
  /** Points the proxy to the standby and closes its connections. */
  repoint(): void
}

export async function startPostgresPair(t: TestContext): Promise<PostgresPair> {
  const { directories, supervisor } = superviseRun(t, 'test')
  const data = (name: string) => join(directories.data, name)
  const primary = await startPostgres({
    supervisor,
    dataDirectory: data('primary'),
    port: await freePort(),
    durable: true
  })
  const { access } = primary
  await migrateAll(access.urlOf(ownerRole), { logger: { info: () => {}, warn: () => {} } })

  const replicator = { user: 'replicator', password: randomBytes(16).toString('hex') }
  await query(
    access.superuserURL(),
    `CREATE ROLE ${replicator.user} REPLICATION LOGIN PASSWORD '${replicator.password}'`
  )
  await takeBaseBackup(access.superuserURL(), data('primary'), data('standby'))
  await writeFile(join(data('standby'), 'standby.signal'), '', { mode: 0o644 })
  await takeOwner(data('primary'), data('standby'))
  await copyFile(credentialsFileOf(data('primary')), credentialsFileOf(data('standby')))
  const { port } = new URL(access.superuserURL())
  const standby = await startPostgresServer({
    ...{ supervisor, dataDirectory: data('standby'), port: await freePort(), durable: true },
    settings: {
      primary_conninfo: `host=${loopback} port=${port} application_name=standby user=${replicator.user} password=${replicator.password}`
    }
  })
  const urls = { primary: access.superuserURL('orderly'), standby: standby.access.superuserURL('orderly') }
  const ask: PostgresPair['ask'] = (server, statements) => query(urls[server], statements)
  await ask('primary', "ALTER SYSTEM SET synchronous_standby_names = 'standby'")
  await ask('primary', 'SELECT pg_reload_conf()')
  const isSynchronous = async () =>
    (await ask('primary', "SELECT FROM pg_stat_replication WHERE sync_state = 'sync'")).length === 1
  await waitUntil(isSynchronous, { what: 'a synchronous standby', deadlineMs: 60_000 })

  const proxy = await startSwitch(t, Number(port))
  return {
    urlOf(role) {
      const url = new URL(access.urlOf(role))
      url.port = String(proxy.port)
      return url.href
    },
    ask,
    async killPrimary() {
      const [child] = primary.processes
      const family = (await listProcesses()).filter(({ parentPID }) => parentPID === child?.pid)
      for (const pid of [child?.pid, ...family.map(({ pid }) => pid)]) if (pid) process.kill(pid, 'SIGKILL')
      await child?.exited
    },
    async promote() {
      await ask('standby', 'SELECT pg_promote(true, 60)')
    },
    repoint: () => proxy.leadTo(Number(new URL(urls.standby).port))
  }
}

async function startSwitch(t: TestContext, firstPort: number): Promise<{ port: number; leadTo(port: number): void }> {
  let target = firstPort
  const sockets = new Set<Socket>()
  const server = createServer(client => {
    const upstream = createConnection({ host: loopback, port: target })
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client]
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  })
  // `resetAndDestroy` would never close a socket that has been ended, and the process would not
  // exit.
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  const port = await freePort()
  await new Promise<void>(resolve => server.listen(port, loopback, resolve))
  t.after(() => {
    cut()
    server.close()
  })
  return {
    port,
    leadTo(port) {
      target = port
      cut()
    }
  }
}
