import { join } from 'node:path'
import { type OptionSpec, UsageError } from '@orderly/command-line'
import type { RunningComponent } from './components/component.ts'
import { fetchJars } from './components/fetch-jars.ts'
import { areFetched, type Jars, jmxAgentJars, kafkaJars, kafkaZookeeperJars, registryJars } from './components/jars.ts'
import { type RunningKafka, startKafka } from './components/kafka.ts'
import { startKafkaWithZookeeper } from './components/kafka-zookeeper.ts'
import { type RunningPostgres, startPostgres } from './components/postgres.ts'
import { startRegistry } from './components/registry.ts'
import type { RunDirectories } from './directories.ts'
import { chooseJava, findJavas } from './preflight/java.ts'
import { freePorts } from './processes/ports.ts'
import type { Supervisor } from './processes/supervisor.ts'
import type { Step } from './terminal/steps.ts'

export const serverPorts = ['kafka', 'kafkaController', 'postgres', 'registry'] as const
export type ServerPorts = Record<(typeof serverPorts)[number], number>

export const kafkaModes = ['kraft', 'zookeeper'] as const
export type KafkaMode = (typeof kafkaModes)[number]

export interface ServersOptions {
  readonly supervisor: Supervisor
  readonly directories: RunDirectories
  readonly ports: ServerPorts
  /** False for data that is deleted after the run. */
  readonly durable: boolean
  /** Kafka's metadata mode; KRaft by default. */
  readonly kafkaMode?: KafkaMode
  /** Servers that are external. */
  readonly except?: ReadonlySet<'kafka' | 'postgres' | 'registry'>
  /** Port of the broker's metrics agent. */
  readonly kafkaMetricsPort?: number | undefined
}

export interface RunningServers {
  readonly kafka?: RunningKafka
  readonly postgres?: RunningPostgres
  readonly registry?: RunningComponent
}

/** Returns the steps that start the servers concurrently, and a promise of the started servers. */
export function planServers(options: ServersOptions): { steps: Step[]; servers: Promise<RunningServers> } {
  const { supervisor, directories, ports, durable, kafkaMode = 'kraft', except = new Set(), kafkaMetricsPort } = options
  const data = (name: string) => join(directories.data, name)
  const steps: Step[] = []

  function plan<Component extends RunningComponent>(
    name: 'kafka' | 'postgres' | 'registry',
    start: (step: { say(text: string): void }) => Promise<Component>
  ): Promise<Component> | undefined {
    if (except.has(name)) return undefined
    const { promise, resolve, reject } = Promise.withResolvers<Component>()
    promise.catch(() => {})
    const run: Step['run'] = async say => {
      try {
        const component = await start({ say })
        resolve(component)
        return component.address
      } catch (error) {
        reject(error)
        throw error
      }
    }
    steps.push({ title: name, run })
    return promise
  }

  const kafka = plan('kafka', async ({ say }) => {
    const jars = kafkaMode === 'zookeeper' ? kafkaZookeeperJars : kafkaJars
    const java = await javaWith(kafkaMetricsPort === undefined ? [jars] : [jars, jmxAgentJars], supervisor, say)
    const common = { port: ports.kafka, metricsPort: kafkaMetricsPort }
    if (kafkaMode === 'zookeeper') {
      const ofZookeeper = { ...common, zookeeperPort: ports.kafkaController }
      return startKafkaWithZookeeper({ supervisor, java, dataDirectory: data('kafka-zookeeper'), ...ofZookeeper })
    }
    const nodes = [{ ...common, id: 1, controllerPort: ports.kafkaController }]
    return startKafka({ supervisor, java, dataDirectory: data('kafka'), nodes })
  })
  const postgres = plan('postgres', () =>
    startPostgres({ supervisor, dataDirectory: data('postgres'), port: ports.postgres, durable })
  )
  const registry = plan('registry', async ({ say }) => {
    const java = await javaWith([registryJars], supervisor, say)
    return startRegistry({ supervisor, java, dataDirectory: data('registry'), port: ports.registry })
  })
  const servers = Promise.all([kafka, postgres, registry]).then(([kafka, postgres, registry]) => ({
    ...(kafka && { kafka }),
    ...(postgres && { postgres }),
    ...(registry && { registry })
  }))
  servers.catch(() => {})
  return { steps, servers }
}

export const kafkaOption: OptionSpec = {
  type: 'string',
  placeholder: 'MODE',
  description: `how the broker runs: ${kafkaModes.join(' or ')} (default kraft)`
}

/** Parses a Kafka mode. @throws UsageError that lists the modes */
export function readKafkaMode(text: string = 'kraft'): KafkaMode {
  if (kafkaModes.includes(text as KafkaMode)) return text as KafkaMode
  throw new UsageError(`--kafka is "${text}": set it to ${kafkaModes.join(' or ')}.`)
}

/** Returns a Java once the given jars have been downloaded. */
export async function javaWith(components: readonly Jars[], supervisor: Supervisor, say: (text: string) => void) {
  const java = chooseJava(findJavas())
  for (const jars of components.filter(jars => !areFetched(jars))) {
    await fetchJars(jars, { supervisor, say })
  }
  return java
}

export function freeServerPorts(): Promise<ServerPorts> {
  return freePorts(serverPorts)
}
