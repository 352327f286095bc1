import { databaseSettings, kafkaSettings, registrySettings, serviceSettings } from '@orderly/service-kit'
import { Type } from 'typebox'

const { ORDERLY_PROFILE } = serviceSettings

/** What the tool is told, in the groups in which commands need it: who asks for topics only needs no database. */
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
    Type.String({ description: 'the key of an operator at the services, where they ask for one', secret: true })
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

/** Servers that a deployment may have. Their defaults in dev are where the launcher starts them when it is asked to. */
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
