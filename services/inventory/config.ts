import { callerSettings } from '@orderly/callers'
import { databaseSettings, httpPort, kafkaSettings, registrySettings, serviceSettings } from '@orderly/service-kit'
import { Type } from 'typebox'

export const configSchema = Type.Object({
  ...serviceSettings,
  HTTP_PORT: httpPort(8081),
  ...kafkaSettings,
  ...registrySettings,
  ...databaseSettings,
  ...callerSettings,
  INVENTORY_MAX_BATCH: Type.Integer({
    description: 'how many orders to decide in one transaction at most',
    minimum: 1,
    maximum: 10_000,
    default: 2000
  }),
  SEED_STOCK_FILE: Type.Optional(
    Type.String({
      description: 'a CSV file (sku,onHand or sku,available) of stock to add where a SKU is missing',
      file: true
    })
  )
})
