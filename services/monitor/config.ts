import { passingGroups } from '@orderly/contracts'
import { httpPort, kafkaSettings, serviceSettings } from '@orderly/service-kit'
import { Type } from 'typebox'

export const configSchema = Type.Object({
  ...serviceSettings,
  HTTP_PORT: httpPort(8086),
  ...kafkaSettings,
  MONITOR_INTERVAL_MS: Type.Integer({
    description: 'how often to look at the cluster',
    minimum: 100,
    maximum: 600_000,
    default: 5_000
  }),
  MONITOR_HANGING_AFTER_MS: Type.Integer({
    description: 'after how long an open transaction counts as hanging; longer than any time-out of a transaction',
    minimum: 1_000,
    maximum: 3_600_000,
    default: 30_000
  }),
  MONITOR_IGNORED_GROUPS: Type.Array(Type.String({ minLength: 1 }), {
    description: 'how the names of groups begin that come and go and are left out, separated by commas',
    default: [...passingGroups]
  }),
  MONITOR_MAX_GROUPS: Type.Integer({
    description: 'how many groups to look at, at most; how many were left out is a metric',
    minimum: 1,
    maximum: 10_000,
    default: 100
  })
})
