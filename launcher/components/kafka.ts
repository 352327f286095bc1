import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { brokerRetention } from '@orderly/contracts'
import { checkConnection, type KafkaConnection } from '@orderly/kafka'
import { isAtLeast, type Java } from '../preflight/java.ts'
import { makePrivateDirectory } from '../private-directory.ts'
import { loopback } from '../processes/ports.ts'
import { runToEnd, type SupervisedProcess, type Supervisor } from '../processes/supervisor.ts'
import { waitUntilHealthy } from '../processes/wait.ts'
import type { RunningComponent } from './component.ts'
import { classPath, kafkaJars } from './jars.ts'
import { archivedClasses, javaCommand, metricsAgent, startJavaServer } from './java-process.ts'
import { formatProperties } from './java-properties.ts'
import { type SecureListener, secureFormatArguments, secureListenerName, secureProperties } from './kafka-security.ts'

export interface KafkaNode {
  readonly id: number
  readonly port: number
  readonly controllerPort: number
  /** Second listener for clients that reach this broker through a proxy. */
  readonly detour?: { readonly port: number; readonly advertisedPort: number }
  readonly secure?: SecureListener
  /** Port of the metrics agent. */
  readonly metricsPort?: number | undefined
}

export interface KafkaOptions {
  readonly supervisor: Supervisor
  readonly java: Java
  readonly dataDirectory: string
  /** Brokers; each is also a controller, in the same process. */
  readonly nodes: readonly KafkaNode[]
  readonly heapMB?: number
  /** Broker settings that extend or replace the default ones. */
  readonly settings?: Readonly<Record<string, string | number>>
  /**
   * True for a broker that lives for about a minute: most of its CPU time would go into compiling
   * code that is hardly used.
   */
  readonly isShortLived?: boolean
}

export interface RunningKafka extends RunningComponent {
  readonly brokers: readonly string[]
  readonly replicationFactor: number
}

const compileQuickly = '-XX:TieredStopAtLevel=1'

export async function startKafka(options: KafkaOptions): Promise<RunningKafka> {
  const startedAt = performance.now()
  makePrivateDirectory(options.dataDirectory)
  const clusterID = await readOrCreateClusterID(options.dataDirectory)
  const processes = await Promise.all(options.nodes.map(node => startNode(node, clusterID, options)))
  const brokers = options.nodes.map(node => `${loopback}:${node.port}`)
  const connection = { brokers, clientID: 'orderly-stack' }
  const answers = () => brokersThere(connection).then(count => count > 0)
  const isComplete = () => brokersThere(connection).then(count => count === options.nodes.length)
  const stop = async () => void (await Promise.all(processes.map(child => child.stop())))
  try {
    await Promise.all(processes.map(child => waitUntilHealthy(child, isComplete, 60_000)))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    name: 'kafka',
    address: brokers.join(','),
    brokers,
    replicationFactor: replicationFactor(options.nodes),
    processes,
    startMs: Math.round(performance.now() - startedAt),
    isHealthy: answers,
    stop
  }
}

function brokersThere(connection: KafkaConnection): Promise<number> {
  return checkConnection(connection).catch(() => 0)
}

/** Restarts one broker of the cluster. Resolves without waiting until it is ready. */
export async function restartKafkaNode(node: KafkaNode, options: KafkaOptions): Promise<SupervisedProcess> {
  return startNode(node, await readOrCreateClusterID(options.dataDirectory), options)
}

async function startNode(node: KafkaNode, clusterID: string, options: KafkaOptions): Promise<SupervisedProcess> {
  const { supervisor, java, dataDirectory, heapMB = 384, isShortLived = false } = options
  const name = options.nodes.length === 1 ? 'kafka' : `kafka-${node.id}`
  // Relative to the working directory: Kafka splits `log.dirs` at commas, which the checkout's path
  // may contain.
  const logDirectory = `node-${node.id}`
  const propertiesFile = join(dataDirectory, `node-${node.id}.properties`)
  await writeFile(propertiesFile, brokerProperties(node, options.nodes, logDirectory, options.settings))
  const common = [
    // Java 24 warns about calls in Kafka's libraries.
    ...(isAtLeast(java, 24) ? ['--enable-native-access=ALL-UNNAMED', '--sun-misc-unsafe-memory-access=allow'] : []),
    '-Dorg.slf4j.simpleLogger.showDateTime=true',
    '-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS',
    '-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn',
    '-cp',
    await classPath(kafkaJars)
  ]
  if (!existsSync(join(dataDirectory, logDirectory, 'meta.properties'))) {
    const format = ['kafka.tools.StorageTool', 'format', '--cluster-id', clusterID, '--config', propertiesFile]
    if (node.secure !== undefined) format.push(...secureFormatArguments(node.secure))
    const args = [compileQuickly, ...archivedClasses({ jars: kafkaJars, java }), ...common, ...format]
    await runToEnd(supervisor, javaCommand(java, { name: `${name}-format`, cwd: dataDirectory, args }))
  }
  const jvm = [`-Xmx${heapMB}m`, '-Xms48m', ...(isShortLived ? [compileQuickly] : [])]
  const args = [...jvm, ...common, 'kafka.Kafka', propertiesFile]
  const agent = metricsAgent(node.metricsPort, 'kafka', dataDirectory)
  return startJavaServer(supervisor, { name, java, jars: kafkaJars, cwd: dataDirectory, args, agent })
}

export function replicationFactor(nodes: readonly KafkaNode[]): number {
  return Math.min(3, nodes.length)
}

/**
 * Returns the broker's settings: few threads and few partitions of internal topics, because one
 * machine runs everything; default durability.
 */
export function brokerProperties(
  node: KafkaNode,
  nodes: readonly KafkaNode[],
  logDirectory: string,
  moreSettings: KafkaOptions['settings'] = {}
): string {
  const replicas = replicationFactor(nodes)
  const inSync = replicas === 3 ? 2 : 1
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': node.id,
    'controller.quorum.voters': nodes.map(({ id, controllerPort }) => `${id}@${loopback}:${controllerPort}`).join(','),
    listeners: [
      `PLAINTEXT://${loopback}:${node.port}`,
      ...(node.detour ? [`DETOUR://${loopback}:${node.detour.port}`] : []),
      ...(node.secure ? [`${secureListenerName}://${loopback}:${node.secure.port}`] : []),
      `CONTROLLER://${loopback}:${node.controllerPort}`
    ].join(','),
    'advertised.listeners': [
      `PLAINTEXT://${loopback}:${node.port}`,
      ...(node.detour ? [`DETOUR://${loopback}:${node.detour.advertisedPort}`] : []),
      ...(node.secure ? [`${secureListenerName}://${loopback}:${node.secure.port}`] : [])
    ].join(','),
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': `PLAINTEXT:PLAINTEXT,DETOUR:PLAINTEXT,CONTROLLER:PLAINTEXT,${secureListenerName}:SASL_SSL`,
    ...(node.secure ? secureProperties(node.secure) : {}),
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': logDirectory,
    ...commonBrokerSettings(nodes.length),
    'share.coordinator.state.topic.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    // A killed broker can register again only after its session has expired.
    'broker.session.timeout.ms': 3000,
    'broker.heartbeat.interval.ms': 500,
    ...moreSettings
  }
  return formatProperties(settings)
}

/** Returns the settings shared by KRaft and ZooKeeper brokers. */
export function commonBrokerSettings(brokers: number): Record<string, string | number | boolean> {
  const replicas = Math.min(3, brokers)
  const inSync = replicas === 3 ? 2 : 1
  return {
    'auto.create.topics.enable': false,
    'num.partitions': 4,
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'offsets.topic.num.partitions': 4,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.num.partitions': 4,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    // Interval for aborting expired transactions. Until then, the transaction of a dead producer
    // blocks readers.
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': 2000,
    // Retry delay of a transaction that immediately follows another one. It waits for the markers,
    // which take one or two ms; the default delay is 20 ms.
    'add.partitions.to.txn.retry.backoff.ms': 1,
    ...brokerRetention,
    'group.initial.rebalance.delay.ms': 0,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'background.threads': 4,
    'log.cleaner.dedupe.buffer.size': 2 * 1024 * 1024
  }
}

async function readOrCreateClusterID(dataDirectory: string): Promise<string> {
  const file = join(dataDirectory, 'cluster-id')
  if (existsSync(file)) return (await readFile(file, 'utf8')).trim()
  const clusterID = randomBytes(16).toString('base64url').replace(/^-/, 'A')
  await writeFile(file, `${clusterID}\n`)
  return clusterID
}
