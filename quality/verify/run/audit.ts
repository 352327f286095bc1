import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { createTopics, type KafkaConnection } from '@orderly/kafka'
import {
  auditDeadLetterTopic,
  type ConnectOptions,
  connectJarSets,
  freePort,
  javaWith,
  type SupervisedProcess,
  startConnect,
  startWorker,
  waitUntil
} from '@orderly/launcher'
import type { FaultyServer, ServersOptions } from './faulty-server.ts'

interface AuditOptions extends ServersOptions, Pick<ConnectOptions, 'connection' | 'databaseURL' | 'registryURL'> {
  /** Connection that bypasses the proxies. */
  readonly directConnection: KafkaConnection
  readonly replicationFactor: number
}

/** Guards against a worker that never starts. It is not a bound for a slow machine. */
const restartDeadlineMs = 240_000

/** Starts Kafka Connect with the audit connector as the launcher does, but behind the proxies. */
export async function startAudit(options: AuditOptions): Promise<FaultyServer> {
  const { supervisor, directories, directConnection, replicationFactor } = options
  await createTopics(directConnection, [{ name: auditDeadLetterTopic, partitions: 1, replicationFactor }])
  const worker: ConnectOptions = {
    ...options,
    java: await javaWith(connectJarSets, supervisor, () => {}),
    dataDirectory: join(directories.data, `connect-${randomBytes(4).toString('hex')}`),
    port: await freePort()
  }
  const running = await startConnect(worker)
  let child = running.processes[0] as SupervisedProcess
  return {
    name: 'connect',
    async kill() {
      child.signal('SIGKILL')
      await child.exited
    },
    async stop() {
      await running.stop()
      await child.stop()
    },
    async restart() {
      if (!child.isRunning()) child = await startWorker(worker)
      await waitUntil(running.isHealthy, { what: 'the restart of Kafka Connect', deadlineMs: restartDeadlineMs })
    },
    freeze: async () => child.signal('SIGSTOP'),
    resume: async () => child.signal('SIGCONT')
  }
}
