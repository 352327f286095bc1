import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { checkConnection } from '@orderly/kafka'
import { type KafkaNode, type RunningKafka, restartKafkaNode, startKafka } from '../components/kafka.ts'
import { createKeystore } from '../components/kafka-security.ts'
import { chooseJava, findJavas } from '../preflight/java.ts'
import { freePorts, loopback } from '../processes/ports.ts'
import { waitUntil } from '../processes/wait.ts'
import { cutLogTail } from './cut-log.ts'
import { superviseRun } from './supervised-run.ts'

/**
 * A separate Kafka for one test, which the test can stop and restart. It keeps its address and its
 * data.
 */
export interface TestBroker {
  readonly brokers: readonly string[]
  /** Brokers with TLS and SASL, and the certificate to trust; set only with `users`. */
  readonly secure?: { readonly brokers: readonly string[]; readonly certificate: string }
  /** Stops all brokers gracefully, like SIGTERM. */
  stop(): Promise<void>
  /** Kills all brokers, like a crash. */
  kill(): Promise<void>
  /** Kills one broker of a cluster. */
  killOne(id: number): void
  /** Freezes one broker of a cluster, which keeps its connections, until `thawOne`. */
  freezeOne(id: number): void
  thawOne(id: number): void
  /** Restarts one broker. Resolves when the cluster is complete, or has `alive` brokers. */
  startOne(id: number, options?: { readonly alive?: number }): Promise<void>
  /** Starts all brokers. Resolves when they are ready. */
  start(): Promise<void>
  /**
   * Removes the records of a stopped broker's partition from an offset on, like a power failure.
   */
  cutLogTail(topic: string, partition: number, fromOffset: number, id?: number): Promise<void>
  /**
   * Flips a byte of a stopped broker at these bytes in a partition's first segment, like a faulty
   * disk.
   */
  damageLog(topic: string, partition: number, at: string, id?: number): Promise<void>
}

export interface TestBrokerOptions {
  readonly heapMB?: number
  /** Broker settings that extend or replace the default ones. */
  readonly settings?: Readonly<Record<string, string | number>>
  /** Number of brokers, with ids from 1 on. `stop`, `kill` and `start` affect all of them. */
  readonly count?: number
  /** Names and passwords for the TLS and SASL listener. */
  readonly users?: Readonly<Record<string, string>>
  /** Refuses everything on that listener that is not granted. */
  readonly denyByDefault?: boolean
}

/** Starts a broker; it is stopped and its data is deleted when the test ends. */
export async function startBroker(test: TestContext, options: TestBrokerOptions = {}): Promise<TestBroker> {
  const { directories, supervisor } = superviseRun(test, 'broker')
  const { count = 1, heapMB, settings, users, denyByDefault = false } = options
  const ids = Array.from({ length: count }, (_, index) => index + 1)
  const java = chooseJava(findJavas())
  const ports = await freePorts(ids.flatMap(id => [`broker ${id}`, `controller ${id}`, `secure ${id}`]))
  const port = (name: string): number => ports[name] as number
  const keys = users && (await createKeystore(java, directories.run))
  const nodes = ids.map((id): KafkaNode => {
    const secure = users &&
      keys && { port: port(`secure ${id}`), keystoreFile: keys.keystoreFile, users, denyByDefault }
    return { id, port: port(`broker ${id}`), controllerPort: port(`controller ${id}`), ...(secure && { secure }) }
  })
  const kafkaOptions = {
    supervisor,
    java,
    dataDirectory: join(directories.data, 'kafka'),
    nodes,
    isShortLived: true,
    ...(heapMB && { heapMB }),
    ...(settings && { settings })
  }
  const start = () => startKafka(kafkaOptions)
  let kafka: RunningKafka = await start()
  return {
    brokers: kafka.brokers,
    ...(keys && {
      secure: { brokers: ids.map(id => `${loopback}:${port(`secure ${id}`)}`), certificate: keys.certificate }
    }),
    stop: () => kafka.stop(),
    async kill() {
      for (const child of kafka.processes) child.signal('SIGKILL')
      await kafka.stop()
    },
    killOne: id => kafka.processes[ids.indexOf(id)]?.signal('SIGKILL'),
    freezeOne: id => kafka.processes[ids.indexOf(id)]?.signal('SIGSTOP'),
    thawOne: id => kafka.processes[ids.indexOf(id)]?.signal('SIGCONT'),
    async startOne(id, { alive = count } = {}) {
      await restartKafkaNode(nodes[ids.indexOf(id)] as KafkaNode, kafkaOptions)
      const connection = { brokers: kafka.brokers, clientID: 'orderly-test' }
      const isWhole = () => checkConnection(connection).then(brokers => brokers === alive)
      await waitUntil(isWhole, { what: `a cluster of ${alive} brokers`, deadlineMs: 60_000 })
    },
    async start() {
      kafka = await start()
    },
    cutLogTail: (topic, partition, fromOffset, id = 1) =>
      cutLogTail(join(kafkaOptions.dataDirectory, `node-${id}`), `${topic}-${partition}`, fromOffset),
    async damageLog(topic, partition, at, id = 1) {
      const directory = join(kafkaOptions.dataDirectory, `node-${id}`, `${topic}-${partition}`)
      const file = join(directory, '00000000000000000000.log')
      const log = await readFile(file)
      const position = log.indexOf(at)
      if (position < 0) throw new Error(`${file} does not contain ${at}`)
      log[position] = (log[position] as number) ^ 0xff
      await writeFile(file, log)
    }
  }
}
