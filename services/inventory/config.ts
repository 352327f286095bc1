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
    description: 'maximum number of orders in one transaction',
    minimum: 1,
    maximum: 10_000,
    default: 2000
  }),
  INVENTORY_MAX_HOLD_SECONDS: Type.Array(Type.String(), {
    description:
      'maximum holdSeconds by caller, such as berlin=3600,*=86400, where * means all other callers; an order above its limit fails as HOLD_TOO_LONG',
    default: []
  }),
  INVENTORY_MAX_HELD_QUANTITY: Type.Array(Type.String(), {
    description:
      'maximum total of pieces in unconfirmed holds by caller, such as berlin=500,*=100, where * means all other callers; an order above its limit fails as HELD_QUANTITY_EXCEEDED',
    default: []
  }),
  SEED_STOCK_FILE: Type.Optional(
    Type.String({
      description: 'a CSV file (sku,onHand or sku,available); its SKUs are added if they do not exist yet',
      file: true
    })
  )
})

/** Refuses settings that the profile does not allow. @throws ConfigError */
export function checkProfile(config: { readonly ORDERLY_PROFILE: string; readonly SEED_STOCK_FILE?: string }): void {
  if (config.ORDERLY_PROFILE !== 'prod' || config.SEED_STOCK_FILE === undefined) return
  throw new ConfigError(['SEED_STOCK_FILE is allowed in the dev profile only: unset it'])
}

export interface HoldLimitSettings {
  readonly INVENTORY_MAX_HOLD_SECONDS: readonly string[]
  readonly INVENTORY_MAX_HELD_QUANTITY: readonly string[]
}

/** Parses the hold limits. @throws ConfigError that names every invalid setting */
export function readHoldLimits(settings: HoldLimitSettings): HoldLimits {
  const problems: string[] = []
  const read = (name: keyof HoldLimitSettings) => {
    try {
      return parseCallerLimits(settings[name])
    } catch (error) {
      problems.push(`${name}: ${(error as Error).message}; separate limits with commas`)
      return new Map<string, number>()
    }
  }
  const limits = { seconds: read('INVENTORY_MAX_HOLD_SECONDS'), quantity: read('INVENTORY_MAX_HELD_QUANTITY') }
  if (problems.length > 0) throw new ConfigError(problems)
  return limits
}
