import { Type } from 'typebox'
import { apiAddressPattern } from '../http/api-page.ts'
import { faultOfOrigins } from '../http/cors.ts'
import { tracingSettings } from '../tracing/settings.ts'
import { localDatabaseURL } from './local-database.ts'
import { parseConfig } from './parse-config.ts'
import type { SettingOptions } from './setting-options.ts'

/**
 * Groups of settings that services share. A service composes its schema from them:
 * `Type.Object({ ...serviceSettings, ...kafkaSettings, ORDER_DEADLINE_MS: Type.Integer({ … }) })`.
 */

const options = <Options extends SettingOptions & { description: string; [keyword: string]: unknown }>(
  settingOptions: Options
): Options => settingOptions

export const httpPort = (defaultPort: number) =>
  Type.Integer(
    options({
      description: 'the port to listen on, 0 for any free one',
      minimum: 0,
      maximum: 65_535,
      default: defaultPort
    })
  )

export const serviceSettings = {
  ORDERLY_PROFILE: Type.Enum(
    ['dev', 'prod'],
    options({ description: 'the profile: dev has defaults for local servers, prod has none', default: 'dev' })
  ),
  HTTP_HOST: Type.String(options({ description: 'the address to listen on', default: '127.0.0.1' })),
  HTTP_PORT: httpPort(8080),
  HTTP_ALLOWED_ORIGINS: Type.Array(Type.String({ pattern: '^https?://[^\\s/*]+$' }), {
    ...options({
      description:
        'the origins whose pages may call the API and read its responses, such as https://shop.example, separated by commas',
      check: faultOfOrigins
    }),
    default: []
  }),
  HTTP_API_ADDRESSES: Type.Array(Type.String({ pattern: apiAddressPattern }), {
    ...options({
      description:
        'the addresses that the page /docs links to, order=https://orders.example,inventory=…,aggregator=…, separated by commas'
    }),
    default: []
  }),
  LOG_LEVEL: Type.Enum(
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    options({ description: 'the least severe level that is logged', default: 'info' })
  ),
  SHUTDOWN_DEADLINE_MS: Type.Integer(
    options({
      description: 'the time that a graceful shutdown may take before the process exits anyway',
      minimum: 100,
      maximum: 600_000,
      default: 12_000
    })
  ),
  INSTANCE_ID: Type.String(
    options({
      description: 'a name for this instance, unique among those of the service and the same after a restart',
      pattern: '^[A-Za-z0-9._-]{1,64}$',
      devDefault: '1'
    })
  ),
  ...tracingSettings
}

export const kafkaSettings = {
  KAFKA_BROKERS: Type.Array(Type.String({ pattern: '^[^\\s:,]+:[0-9]{1,5}$|^\\[[0-9a-fA-F:]+\\]:[0-9]{1,5}$' }), {
    ...options({
      description: 'the addresses of the brokers, host:port and separated by commas',
      devDefault: ['127.0.0.1:9092']
    }),
    minItems: 1
  }),
  KAFKA_METADATA_MAX_AGE_MS: Type.Integer(
    options({
      description: 'the time after which partitions, leaders and coordinators are refreshed',
      minimum: 100,
      maximum: 3_600_000,
      default: 10_000
    })
  ),
  KAFKA_TLS: Type.Boolean(options({ description: 'whether to connect to the brokers with TLS', default: false })),
  KAFKA_TLS_CA_FILE: Type.Optional(
    Type.String(
      options({
        description: 'the PEM file of the certificate authority that signed the certificates of the brokers',
        file: true,
        requires: ['KAFKA_TLS']
      })
    )
  ),
  KAFKA_TLS_CERT_FILE: Type.Optional(
    Type.String(
      options({
        description: 'the PEM file of the client certificate',
        file: true,
        requires: ['KAFKA_TLS', 'KAFKA_TLS_KEY_FILE']
      })
    )
  ),
  KAFKA_TLS_KEY_FILE: Type.Optional(
    Type.String(
      options({
        description: "the PEM file of the client's private key",
        file: true,
        requires: ['KAFKA_TLS_CERT_FILE']
      })
    )
  ),
  KAFKA_SASL_MECHANISM: Type.Optional(
    Type.Enum(
      ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'],
      options({
        description: 'the SASL mechanism for authentication at the brokers',
        requires: ['KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD']
      })
    )
  ),
  KAFKA_SASL_USERNAME: Type.Optional(
    Type.String(options({ description: 'the user name for the brokers', requires: ['KAFKA_SASL_MECHANISM'] }))
  ),
  KAFKA_SASL_PASSWORD: Type.Optional(
    Type.String(
      options({ description: 'the password for the brokers', secret: true, requires: ['KAFKA_SASL_MECHANISM'] })
    )
  )
}

export const registrySettings = {
  SCHEMA_REGISTRY_URL: Type.String(
    options({
      description: 'the address of the schema registry (Confluent API), for example https://schemas.example:8081',
      pattern: '^https?://[^\\s]+$',
      devDefault: 'http://127.0.0.1:8085/apis/ccompat/v7',
      check: (address: string) =>
        /^[^?#]*@/.test(address)
          ? 'SCHEMA_REGISTRY_URL contains a user name or a password: set SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD instead'
          : undefined
    })
  ),
  SCHEMA_REGISTRY_USERNAME: Type.Optional(
    Type.String(
      options({ description: 'the user name for the schema registry', requires: ['SCHEMA_REGISTRY_PASSWORD'] })
    )
  ),
  SCHEMA_REGISTRY_PASSWORD: Type.Optional(
    Type.String(
      options({
        description: 'the password for the schema registry',
        secret: true,
        requires: ['SCHEMA_REGISTRY_USERNAME']
      })
    )
  )
}

const databaseURLPattern = '^postgres(ql)?://[^\\s]+$'

/**
 * Returns the settings of a database connection.
 * @param role the database role whose local address is the default in the dev profile
 */
export const databaseSettings = (role: string) => ({
  DATABASE_URL: Type.String(
    options({
      description: 'the address of the database with user and password, postgres://user:password@host:5432/name',
      pattern: databaseURLPattern,
      secret: true,
      devDefault: localDatabaseURL(role)
    })
  ),
  DATABASE_MAX_CONNECTIONS: Type.Integer(
    options({ description: 'the maximum number of database connections', minimum: 1, maximum: 500, default: 10 })
  )
})

/**
 * Returns the database address of the role that owns the schemas, which migrations need. In the dev
 * profile it defaults to `DATABASE_URL`.
 *
 * @throws ConfigError when it is missing or invalid
 */
export function ownerDatabaseURL(environment: Readonly<Record<string, string | undefined>>): string {
  const settings = Type.Object({
    DATABASE_OWNER_URL: Type.String(
      options({
        description:
          'the address of the database for the role that owns the schemas, postgres://orderly_owner:password@host:5432/name',
        pattern: databaseURLPattern,
        secret: true,
        devDefault: environment.DATABASE_URL || localDatabaseURL('orderly_owner')
      })
    )
  })
  return parseConfig(settings, environment).DATABASE_OWNER_URL
}
