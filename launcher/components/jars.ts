import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { jarsDirectory } from '../directories.ts'

/**
 * A set of jars that is downloaded once: the files of `launcher/jars/<name>/jars.lock`, resolved by
 * Maven from the adjacent `pom.xml`.
 */
export interface Jars {
  readonly name:
    | 'kafka'
    | 'kafka-zookeeper'
    | 'registry'
    | 'connect'
    | 'audit-sink'
    | 'avro-converter'
    | 'java-compiler'
    | 'peers'
    | 'jmx-agent'
  readonly version: string
  /** Name of a file whose presence shows that the download is complete. */
  readonly mainFile: string
  /** Size of the unpacked files. */
  readonly diskMB: number
}

export const kafkaJars: Jars = {
  name: 'kafka',
  version: '4.2.2',
  mainFile: 'kafka_2.13-4.2.2.jar',
  diskMB: 45
}
/** The last Kafka version that supports ZooKeeper, with ZooKeeper. */
export const kafkaZookeeperJars: Jars = {
  name: 'kafka-zookeeper',
  version: '3.9.2',
  mainFile: 'kafka_2.13-3.9.2.jar',
  diskMB: 60
}
export const registryJars: Jars = {
  name: 'registry',
  version: '3.3.3',
  mainFile: 'quarkus-run.jar',
  diskMB: 330
}
/** Avro converter of Kafka Connect. */
export const avroConverterJars: Jars = {
  name: 'avro-converter',
  version: '2.6.13.Final',
  mainFile: 'apicurio-registry-utils-converter-2.6.13.Final.jar',
  diskMB: 8
}
/** Libraries of the benchmark's Java programs. */
export const peersJars: Jars = {
  name: 'peers',
  version: '1',
  mainFile: 'kafka-streams-4.3.1.jar',
  diskMB: 90
}
/** Worker of Kafka Connect. The number behind Kafka's version changes with the list of jars. */
export const connectJars: Jars = {
  name: 'connect',
  version: '4.2.2-1',
  mainFile: 'connect-runtime-4.2.2.jar',
  diskMB: 34
}
/** Drivers of Postgres and MongoDB for the audit sink. */
export const auditSinkJars: Jars = {
  name: 'audit-sink',
  version: '1',
  mainFile: 'postgresql-42.7.7.jar',
  diskMB: 4
}
/** Java compiler that runs on a Java without one, such as a headless package. */
export const javaCompilerJars: Jars = {
  name: 'java-compiler',
  version: '3.40.0',
  mainFile: 'ecj-3.40.0.jar',
  diskMB: 4
}
/** Exports the metrics of a broker or a Connect worker to Prometheus. */
export const jmxAgentJars: Jars = {
  name: 'jmx-agent',
  version: '1.0.1',
  mainFile: 'jmx_prometheus_javaagent-1.0.1.jar',
  diskMB: 3
}
/** All jars that Kafka Connect needs to write the audit tables. */
export const connectJarSets: readonly Jars[] = [connectJars, auditSinkJars, avroConverterJars, javaCompilerJars]

export function jarsHome(jars: Jars): string {
  return join(jarsDirectory, `${jars.name}-${jars.version}`)
}

export function areFetched(jars: Jars): boolean {
  return existsSync(join(jarsHome(jars), jars.mainFile))
}

export async function classPath(jars: Jars): Promise<string> {
  const names = await readdir(jarsHome(jars))
  return names
    .filter(name => name.endsWith('.jar'))
    .toSorted()
    .map(name => join(jarsHome(jars), name))
    .join(delimiter)
}
