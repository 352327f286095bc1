import { databaseSettings, kafkaSettings, registrySettings, serviceSettings } from '@orderly/service-kit'
import { Type } from 'typebox'

const { ORDERLY_PROFILE } = serviceSettings

/**
 * Settings of the tool, grouped by what commands need: a command that reads only topics needs no
 * database.
 */
export const kafkaSchema = Type.Object({ ORDERLY_PROFILE, ...kafkaSettings })
export const databaseSchema = Type.Object({
  ORDERLY_PROFILE,
  DATABASE_URL: databaseSettings('orderly_operator').DATABASE_URL
})
export const registrySchema = Type.Object({ ORDERLY_PROFILE, ...registrySettings })
export const inventorySchema = Type.Object({
  ORDERLY_PROFILE,
  INVENTORY_URL: Type.String({
    description: 'the address of the inventory service, for example http://inventory.example:8081',
    pattern: '^https?://[^\\s]+$',
    devDefault: 'http://127.0.0.1:8081'
  }),
  ORDERLY_API_KEY: Type.Optional(
    Type.String({ description: 'the API key of an operator, if the services require keys', secret: true })
  )
})

export const connectSchema = Type.Object({
  ORDERLY_PROFILE,
  CONNECT_URL: Type.String({
    description: 'the address of a worker of Kafka Connect, for example http://connect.example:8084',
    pattern: '^https?://[^\\s]+$',
    devDefault: 'http://127.0.0.1:8084'
  })
})

/**
 * Settings of servers that a deployment may lack. Their dev defaults are the addresses that the
 * launcher uses.
 */
export const optionalSchema = Type.Object({
  ORDERLY_PROFILE,
  CONNECT_URL: Type.Optional(connectSchema.properties.CONNECT_URL),
  PROMETHEUS_URL: Type.Optional(
    Type.String({
      description: 'the Prometheus that evaluates the alerts, for example http://prometheus.example:9090',
      pattern: '^https?://[^\\s]+$',
      devDefault: 'http://127.0.0.1:9090'
    })
  )
})
