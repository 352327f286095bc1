import { createSchemaRegistry, type SchemaRegistry } from '@orderly/contracts'
import { createInspector, type KafkaConnection, type KafkaInspector } from '@orderly/kafka'
import { createPool } from '@orderly/postgres'
import {
  findStack,
  kafkaConnection,
  ownerDatabaseURL,
  parseConfig,
  readLocalStack,
  registryAddress
} from '@orderly/service-kit'
import type { Pool } from 'pg'
import {
  connectSchema,
  databaseSchema,
  inventorySchema,
  kafkaSchema,
  optionalSchema,
  registrySchema
} from './settings.ts'

/**
 * Connections to servers, opened on first use and closed at the end of the command.
 * @throws ConfigError from each method
 */
export interface Connections {
  kafka(): KafkaConnection
  inspector(): KafkaInspector
  database(): Pool
  databaseURL(): string
  /** Returns the address for the role that owns the schemas. */
  ownerDatabaseURL(): string
  registry(): SchemaRegistry
  registryAddress(): { readonly url: string; readonly username?: string; readonly password?: string }
  connect(): { readonly url: string }
  inventory(): { readonly url: string; readonly apiKey: string | undefined }
  /** Returns a server that a deployment may lack; undefined if its address is unknown. */
  optional(setting: OptionalServer): { readonly url: string; readonly isGiven: boolean } | undefined
  close(): Promise<void>
}

export type OptionalServer = 'CONNECT_URL' | 'PROMETHEUS_URL'

const statementTimeoutMs = 20_000
/** Long, because operators also connect to overloaded machines. */
const connectTimeoutMs = 20_000

/**
 * Creates the connections of a command.
 * @param note receives a description of the stack once, before its first use
 * @throws ConfigError if the environment and the running stack of this checkout disagree
 */
export function createConnections(given: NodeJS.ProcessEnv, note: (text: string) => void = () => {}): Connections {
  const { environment, description, requireAddress, requireDatabase } = findStack(given, readLocalStack)
  let isNoted = description === undefined
  function use(setting: string): NodeJS.ProcessEnv {
    requireAddress(setting)
    if (!isNoted) note(`${description}`)
    isNoted = true
    return environment
  }
  const releases: (() => Promise<unknown>)[] = []
  let inspector: KafkaInspector | undefined
  let pool: Pool | undefined
  const connection = () => kafkaConnection(parseConfig(kafkaSchema, use('KAFKA_BROKERS')), 'orderly-tool')
  const address = () => registryAddress(parseConfig(registrySchema, use('SCHEMA_REGISTRY_URL')))
  const checked = (setting: string, url: string) => {
    requireDatabase(setting, url)
    return url
  }
  const databaseURL = () => checked('DATABASE_URL', parseConfig(databaseSchema, environment).DATABASE_URL)
  return {
    kafka: connection,
    inspector() {
      if (inspector !== undefined) return inspector
      const opened = createInspector(connection())
      releases.push(() => opened.close())
      inspector = opened
      return opened
    },
    database() {
      if (pool !== undefined) return pool
      const opened = createPool({
        url: databaseURL(),
        maxConnections: 3,
        applicationName: 'orderly-tool',
        statementTimeoutMs,
        connectTimeoutMs
      })
      releases.push(() => opened.end())
      pool = opened
      return opened
    },
    databaseURL,
    ownerDatabaseURL: () => checked('DATABASE_OWNER_URL', ownerDatabaseURL(environment)),
    registry: () => createSchemaRegistry({ ...address(), attempts: 1 }),
    registryAddress: address,
    connect: () => ({ url: parseConfig(connectSchema, use('CONNECT_URL')).CONNECT_URL.replace(/\/$/, '') }),
    inventory() {
      const { INVENTORY_URL, ORDERLY_API_KEY } = parseConfig(inventorySchema, use('INVENTORY_URL'))
      return { url: INVENTORY_URL.replace(/\/$/, ''), apiKey: ORDERLY_API_KEY }
    },
    optional(setting) {
      const url = parseConfig(optionalSchema, environment)[setting]?.replace(/\/$/, '')
      return url === undefined ? undefined : { url, isGiven: Boolean(given[setting]) }
    },
    async close() {
      await Promise.allSettled(releases.map(release => release()))
    }
  }
}
