import { retention } from '@orderly/contracts'
import { databaseSettings, httpPort, kafkaSettings, registrySettings, serviceSettings } from '@orderly/service-kit'
import { Type } from 'typebox'
import { sinkNames, sinkSettings } from './delivery/sinks.ts'
import { locales } from './domain/message.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

export const configSchema = Type.Object({
  ...serviceSettings,
  HTTP_PORT: httpPort(8082),
  ...kafkaSettings,
  ...registrySettings,
  ...databaseSettings('orderly_notification'),
  NOTIFICATION_SINKS: Type.Array(Type.Enum(sinkNames), {
    description: `the targets of notifications, separated by commas: ${sinkNames.join(', ')}`,
    minItems: 1,
    uniqueItems: true,
    default: ['console']
  }),
  NOTIFICATION_LOCALE: Type.Enum(locales, { description: 'the language of notifications', default: 'en' }),
  NOTIFICATION_MAX_ATTEMPTS: Type.Integer({
    description: 'the maximum number of attempts before a delivery is exhausted',
    minimum: 1,
    maximum: 1_000,
    default: 20
  }),
  NOTIFICATION_MAX_AGE_MS: Type.Integer({
    description: 'the maximum age of a delivery before it is exhausted',
    minimum: 1_000,
    maximum: 30 * dayMs,
    default: 3 * dayMs
  }),
  NOTIFICATION_RETRY_INITIAL_MS: Type.Integer({
    description: 'the delay after the first failed attempt; each further failure makes it four times longer',
    minimum: 10,
    maximum: hourMs,
    default: 5_000
  }),
  NOTIFICATION_MAX_RETRY_MS: Type.Integer({
    description: 'the maximum delay between two attempts',
    minimum: 10,
    maximum: dayMs,
    default: 6 * hourMs
  }),
  NOTIFICATION_MAX_RETRY_AFTER_MS: Type.Integer({
    description: 'the longest pause that a target can request with Retry-After; longer ones are cut to this',
    minimum: 0,
    maximum: 30 * dayMs,
    default: dayMs
  }),
  NOTIFICATION_LEASE_MS: Type.Integer({
    description:
      'the time for which an instance keeps claimed deliveries; after a crash, other instances wait this long',
    minimum: 500,
    maximum: 10 * minuteMs,
    default: 60_000
  }),
  NOTIFICATION_POLL_MS: Type.Integer({
    description: 'the interval between two queries for due deliveries',
    minimum: 10,
    maximum: minuteMs,
    default: 1_000
  }),
  NOTIFICATION_ENDPOINTS_REFRESH_MS: Type.Integer({
    description: 'the interval at which the webhook endpoints in the database are reloaded',
    minimum: 50,
    maximum: hourMs,
    default: 5_000
  }),
  NOTIFICATION_RETENTION_DAYS: Type.Integer({
    description: 'the number of days for which finished deliveries are kept; must exceed the retention of the topics',
    minimum: 1,
    maximum: 3_650,
    default: retention.deliveryDays
  }),
  ...sinkSettings
})
