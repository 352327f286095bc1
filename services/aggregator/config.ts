import { callerSettings } from '@orderly/callers'
import { retention } from '@orderly/contracts'
import { databaseSettings, httpPort, kafkaSettings, registrySettings, serviceSettings } from '@orderly/service-kit'
import { Type } from 'typebox'

const hourMs = 3_600_000

export const configSchema = Type.Object({
  ...serviceSettings,
  HTTP_PORT: httpPort(8083),
  ...kafkaSettings,
  ...registrySettings,
  ...databaseSettings('orderly_aggregator'),
  ...callerSettings,
  AGGREGATOR_GRACE_MS: Type.Integer({
    description: 'grace period: how long after the end of its minute an order can be written and still count in it',
    minimum: 0,
    maximum: 24 * hourMs,
    default: 300_000
  }),
  AGGREGATOR_CLOCK_SKEW_MS: Type.Integer({
    description:
      'maximum clock difference between brokers and aggregators, and maximum time until a broker knows a new partition',
    minimum: 0,
    maximum: hourMs,
    default: 10_000
  }),
  AGGREGATOR_RETENTION_DAYS: Type.Integer({
    description: 'days for which the database keeps minutes',
    minimum: 2,
    maximum: 3650,
    default: retention.minuteDays
  }),
  AGGREGATOR_PUBLISH_INTERVAL_MS: Type.Integer({
    description: 'interval at which changed minutes are published',
    minimum: 50,
    maximum: 60_000,
    default: 1000
  }),
  AGGREGATOR_MAX_BATCH: Type.Integer({
    description: 'maximum number of orders in one transaction',
    minimum: 1,
    maximum: 10_000,
    default: 2000
  })
})
