import type { KafkaConnection } from '@orderly/kafka'
import { kafkaConnection, kafkaSettings, maskSecrets, parseConfig } from '@orderly/service-kit'
import { Type } from 'typebox'

export type ServerName = 'kafka' | 'postgres' | 'registry'

const variables: Readonly<Record<ServerName, string>> = {
  kafka: 'KAFKA_BROKERS',
  postgres: 'DATABASE_URL',
  registry: 'SCHEMA_REGISTRY_URL'
}

/** Returns the servers that the launcher does not run, with their addresses without passwords. */
export function externalServers(environment: NodeJS.ProcessEnv): Map<ServerName, string> {
  const servers = new Map<ServerName, string>()
  for (const [name, variable] of Object.entries(variables) as [ServerName, string][]) {
    const address = environment[variable]?.trim()
    if (address) servers.set(name, maskSecrets(address))
  }
  return servers
}

/**
 * Returns the connection to an external Kafka.
 * @throws ConfigError that names every invalid setting
 */
export function kafkaConnectionOf(environment: NodeJS.ProcessEnv): KafkaConnection {
  return kafkaConnection(parseConfig(Type.Object(kafkaSettings), environment), 'orderly-stack')
}
