import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkConnection } from '@orderly/kafka'
import type { Java } from '../preflight/java.ts'
import { makePrivateDirectory } from '../private-directory.ts'
import { loopback } from '../processes/ports.ts'
import type { SupervisedProcess, Supervisor } from '../processes/supervisor.ts'
import { waitUntilHealthy } from '../processes/wait.ts'
import { classPath, kafkaZookeeperJars } from './jars.ts'
import { metricsAgent, startJavaServer } from './java-process.ts'
import { formatProperties } from './java-properties.ts'
import { commonBrokerSettings, type RunningKafka } from './kafka.ts'

export interface ZookeeperKafkaOptions {
  readonly supervisor: Supervisor
  readonly java: Java
  readonly dataDirectory: string
  readonly port: number
  readonly zookeeperPort: number
  /** Port of the broker's metrics agent. */
  readonly metricsPort?: number | undefined
}

const jvm = [
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  '-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS'
]
/**
 * Session timeout; a killed broker can register again only after ZooKeeper has expired its session.
 */
const sessionTimeoutMs = 3_000

/**
 * Starts one broker of the last Kafka version that supports ZooKeeper, and ZooKeeper, for users who
 * still run such clusters.
 */
export async function startKafkaWithZookeeper(options: ZookeeperKafkaOptions): Promise<RunningKafka> {
  const startedAt = performance.now()
  makePrivateDirectory(options.dataDirectory)
  const zookeeper = await startZookeeper(options)
  const broker = await startBroker(options)
  const brokers = [`${loopback}:${options.port}`]
  const answers = () => checkConnection({ brokers, clientID: 'orderly-stack' }).then(count => count > 0)
  const stop = async () => {
    await broker.stop()
    await zookeeper.stop()
  }
  try {
    await Promise.all([broker, zookeeper].map(child => waitUntilHealthy(child, answers, 60_000)))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    name: 'kafka',
    address: brokers.join(','),
    brokers,
    replicationFactor: 1,
    processes: [broker, zookeeper],
    startMs: Math.round(performance.now() - startedAt),
    isHealthy: () => answers().catch(() => false),
    stop
  }
}

async function startZookeeper(options: ZookeeperKafkaOptions) {
  const { dataDirectory, zookeeperPort } = options
  const file = join(dataDirectory, 'zookeeper.properties')
  const settings = {
    dataDir: join(dataDirectory, 'zookeeper'),
    clientPort: zookeeperPort,
    clientPortAddress: loopback,
    tickTime: 1_000,
    'admin.enableServer': false
  }
  await writeFile(file, formatProperties(settings))
  const program = ['org.apache.zookeeper.server.quorum.QuorumPeerMain', file]
  return startServer('zookeeper', ['-Xmx96m', '-Xms16m'], program, options)
}

async function startBroker(options: ZookeeperKafkaOptions) {
  const { dataDirectory, port, zookeeperPort, metricsPort } = options
  const file = join(dataDirectory, 'broker.properties')
  const settings = {
    ...commonBrokerSettings(1),
    'broker.id': 1,
    'zookeeper.connect': `${loopback}:${zookeeperPort}`,
    'zookeeper.session.timeout.ms': sessionTimeoutMs,
    listeners: `PLAINTEXT://${loopback}:${port}`,
    'advertised.listeners': `PLAINTEXT://${loopback}:${port}`,
    'log.dirs': 'broker'
  }
  await writeFile(file, formatProperties(settings))
  const agent = metricsAgent(metricsPort, 'kafka', dataDirectory)
  return startServer('kafka', ['-Xmx384m', '-Xms48m'], ['kafka.Kafka', file], options, agent)
}

async function startServer(
  name: 'zookeeper' | 'kafka',
  heap: readonly string[],
  program: readonly string[],
  { supervisor, java, dataDirectory }: ZookeeperKafkaOptions,
  agent?: string
): Promise<SupervisedProcess> {
  return startJavaServer(supervisor, {
    ...{ name, java, jars: kafkaZookeeperJars, cwd: dataDirectory, agent },
    // Stops after the broker, which deregisters from ZooKeeper.
    tier: name === 'zookeeper' ? 'coordinator' : 'server',
    args: [...heap, ...jvm, '-cp', await classPath(kafkaZookeeperJars), ...program]
  })
}
