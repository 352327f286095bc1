import { ephemeralGroupPrefixes } from '@orderly/contracts'
import { httpPort, kafkaSettings, serviceSettings } from '@orderly/service-kit'
import { Type } from 'typebox'

export const configSchema = Type.Object({
  ...serviceSettings,
  HTTP_PORT: httpPort(8086),
  ...kafkaSettings,
  MONITOR_INTERVAL_MS: Type.Integer({
    description: 'interval between observations of the cluster',
    minimum: 100,
    maximum: 600_000,
    default: 5_000
  }),
  MONITOR_HANGING_AFTER_MS: Type.Integer({
    description: 'age from which an open transaction counts as hanging; must exceed the timeouts of all transactions',
    minimum: 1_000,
    maximum: 3_600_000,
    default: 30_000
  }),
  MONITOR_IGNORED_GROUPS: Type.Array(Type.String({ minLength: 1 }), {
    description: 'name prefixes of ephemeral groups to ignore, separated by commas',
    default: [...ephemeralGroupPrefixes]
  }),
  MONITOR_MAX_GROUPS: Type.Integer({
    description: 'maximum number of groups to observe; a metric reports how many are left out',
    minimum: 1,
    maximum: 10_000,
    default: 100
  })
})
