import { callerSettings } from '@orderly/callers'
import {
  ConfigError,
  databaseSettings,
  httpPort,
  kafkaSettings,
  registrySettings,
  serviceSettings
} from '@orderly/service-kit'
import { Type } from 'typebox'
import { type HoldLimits, parseCallerLimits } from './domain/hold-limits.ts'

export const configSchema = Type.Object({
  ...serviceSettings,
  HTTP_PORT: httpPort(8081),
  ...kafkaSettings,
  ...registrySettings,
  ...databaseSettings('orderly_inventory'),
  ...callerSettings,
  INVENTORY_MAX_BATCH: Type.Integer({
    description: 'how many orders to decide in one transaction at most',
    minimum: 1,
    maximum: 10_000,
    default: 2000
  }),
  INVENTORY_MAX_HOLD_SECONDS: Type.Array(Type.String(), {
    description:
      'the longest holdSeconds of each caller, berlin=3600, with * for all others, separated by commas; an order above it fails as HOLD_TOO_LONG',
    default: []
  }),
  INVENTORY_MAX_HELD_QUANTITY: Type.Array(Type.String(), {
    description:
      'how many pieces the unconfirmed holds of each caller can have together, berlin=500, with * for all others, separated by commas; an order above it fails as HELD_QUANTITY_EXCEEDED',
    default: []
  }),
  SEED_STOCK_FILE: Type.Optional(
    Type.String({
      description: 'a CSV file (sku,onHand or sku,available) of stock to add where a SKU is missing',
      file: true
    })
  )
})

export interface HoldLimitSettings {
  readonly INVENTORY_MAX_HOLD_SECONDS: readonly string[]
  readonly INVENTORY_MAX_HELD_QUANTITY: readonly string[]
}

/** @throws ConfigError that names every setting that is wrong */
export function readHoldLimits(settings: HoldLimitSettings): HoldLimits {
  const problems: string[] = []
  const read = (name: keyof HoldLimitSettings) => {
    try {
      return parseCallerLimits(settings[name])
    } catch (error) {
      problems.push(`${name}: ${(error as Error).message}; separate several by commas`)
      return new Map<string, number>()
    }
  }
  const limits = { seconds: read('INVENTORY_MAX_HOLD_SECONDS'), quantity: read('INVENTORY_MAX_HELD_QUANTITY') }
  if (problems.length > 0) throw new ConfigError(problems)
  return limits
}
