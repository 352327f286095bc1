import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { jarsDirectory } from '../directories.ts'
import type { Java } from '../preflight/java.ts'
import { runToEnd, type Supervisor } from '../processes/supervisor.ts'
import { Refusal } from '../refusal.ts'

/** Something that Maven fetches once, pinned by `stack/jars/<name>/pom.xml`. */
export interface Jars {
  readonly name:
    | 'kafka'
    | 'kafka-zookeeper'
    | 'registry'
    | 'connect'
    | 'jdbc-sink'
    | 'avro-converter'
    | 'java-compiler'
    | 'peers'
    | 'jmx-agent'
  readonly version: string
  readonly goal: 'copy-dependencies' | 'unpack-dependencies'
  /** A file without which it is not there. */
  readonly mainFile: string
  /** What Maven downloads for it, for the message; and what it takes unpacked. */
  readonly downloadMB: number
  readonly diskMB: number
}

export const kafkaJars: Jars = {
  name: 'kafka',
  version: '4.2.2',
  goal: 'copy-dependencies',
  mainFile: 'kafka_2.13-4.2.2.jar',
  downloadMB: 45,
  diskMB: 45
}
/** The last Kafka that runs with ZooKeeper, and ZooKeeper. */
export const kafkaZookeeperJars: Jars = {
  name: 'kafka-zookeeper',
  version: '3.9.2',
  goal: 'copy-dependencies',
  mainFile: 'kafka_2.13-3.9.2.jar',
  downloadMB: 60,
  diskMB: 60
}
export const registryJars: Jars = {
  name: 'registry',
  version: '3.3.3',
  goal: 'unpack-dependencies',
  mainFile: 'quarkus-run.jar',
  downloadMB: 158,
  diskMB: 330
}
/** What Kafka Connect reads and writes Avro with. */
export const avroConverterJars: Jars = {
  name: 'avro-converter',
  version: '2.6.13.Final',
  goal: 'copy-dependencies',
  mainFile: 'apicurio-registry-utils-converter-2.6.13.Final.jar',
  downloadMB: 8,
  diskMB: 8
}
/** What the benchmark's peers in Java are made of. */
export const peersJars: Jars = {
  name: 'peers',
  version: '1',
  goal: 'copy-dependencies',
  mainFile: 'kafka-streams-4.3.1.jar',
  downloadMB: 90,
  diskMB: 90
}
/** The worker of Kafka Connect. */
export const connectJars: Jars = {
  name: 'connect',
  version: '4.2.2',
  goal: 'copy-dependencies',
  mainFile: 'connect-runtime-4.2.2.jar',
  downloadMB: 34,
  diskMB: 34
}
/** Debezium's JDBC sink with the Postgres driver. */
export const jdbcSinkJars: Jars = {
  name: 'jdbc-sink',
  version: '3.5.0.Final',
  goal: 'copy-dependencies',
  mainFile: 'debezium-connector-jdbc-3.5.0.Final.jar',
  downloadMB: 29,
  diskMB: 29
}
/** Compiles Java on a Java that has no compiler of its own, as headless packages have none. */
export const javaCompilerJars: Jars = {
  name: 'java-compiler',
  version: '3.40.0',
  goal: 'copy-dependencies',
  mainFile: 'ecj-3.40.0.jar',
  downloadMB: 4,
  diskMB: 4
}
/** Tells a broker's own metrics to Prometheus. */
export const jmxAgentJars: Jars = {
  name: 'jmx-agent',
  version: '1.0.1',
  goal: 'copy-dependencies',
  mainFile: 'jmx_prometheus_javaagent-1.0.1.jar',
  downloadMB: 3,
  diskMB: 3
}
/** All that Kafka Connect needs to write the audit tables. */
export const connectParts: readonly Jars[] = [connectJars, jdbcSinkJars, avroConverterJars, javaCompilerJars]

export function jarsHome(jars: Jars): string {
  return join(jarsDirectory, `${jars.name}-${jars.version}`)
}

export function areFetched(jars: Jars): boolean {
  return existsSync(join(jarsHome(jars), jars.mainFile))
}

/** Fetches next to where they belong and renames, so that a folder with the final name is always whole. */
export async function fetchJars(supervisor: Supervisor, jars: Jars, java: Java): Promise<void> {
  if (areFetched(jars)) return
  await mkdir(jarsDirectory, { recursive: true })
  const unfinished = await mkdtemp(join(jarsDirectory, `.${jars.name}-`))
  try {
    const pom = join(import.meta.dirname, '..', 'jars', jars.name, 'pom.xml')
    await runToEnd(supervisor, {
      name: `maven-${jars.name}`,
      command: 'mvn',
      args: ['--batch-mode', '--quiet', '--file', pom, `dependency:${jars.goal}`, `-DoutputDirectory=${unfinished}`],
      env: { ...process.env, JAVA_HOME: java.home }
    })
    if (!existsSync(join(unfinished, jars.mainFile))) throw new Error(`Maven left out ${jars.mainFile}`)
    await rename(unfinished, jarsHome(jars))
  } catch (error) {
    if (areFetched(jars)) return
    throw new Refusal(
      `Maven could not fetch ${jars.name} ${jars.version}; once it can reach its repository, run the command again. ${(error as Error).message}`
    )
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
}

export async function classPath(jars: Jars): Promise<string> {
  const names = await readdir(jarsHome(jars))
  return names
    .filter(name => name.endsWith('.jar'))
    .toSorted()
    .map(name => join(jarsHome(jars), name))
    .join(delimiter)
}
