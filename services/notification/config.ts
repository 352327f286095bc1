import { retention } from '@orderly/contracts'
import { databaseSettings, httpPort, kafkaSettings, registrySettings, serviceSettings } from '@orderly/service-kit'
import { Type } from 'typebox'
import { locales } from './domain/message.ts'
import { sinkNames, sinkSettings } from './to-recipient/sinks.ts'

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
    description: `where notifications go, separated by commas: ${sinkNames.join(', ')}`,
    minItems: 1,
    uniqueItems: true,
    default: ['console']
  }),
  NOTIFICATION_LOCALE: Type.Enum(locales, { description: 'the language of notifications', default: 'en' }),
  NOTIFICATION_MAX_ATTEMPTS: Type.Integer({
    description: 'how often to try before a notification is given up',
    minimum: 1,
    maximum: 1_000,
    default: 20
  }),
  NOTIFICATION_MAX_AGE_MS: Type.Integer({
    description: 'how long to try before a notification is given up',
    minimum: 1_000,
    maximum: 30 * dayMs,
    default: 3 * dayMs
  }),
  NOTIFICATION_FIRST_RETRY_MS: Type.Integer({
    description: 'how long to wait after the first failure; four times longer after each further one',
    minimum: 10,
    maximum: hourMs,
    default: 5_000
  }),
  NOTIFICATION_MAX_RETRY_MS: Type.Integer({
    description: 'how long to wait between two attempts at most',
    minimum: 10,
    maximum: dayMs,
    default: 6 * hourMs
  }),
  NOTIFICATION_MAX_RETRY_AFTER_MS: Type.Integer({
    description: 'the longest pause that a target can ask for by Retry-After; a longer one is cut to this',
    minimum: 0,
    maximum: 30 * dayMs,
    default: dayMs
  }),
  NOTIFICATION_LEASE_MS: Type.Integer({
    description: 'how long an instance may have deliveries in hand; after a crash others wait for so long',
    minimum: 500,
    maximum: 10 * minuteMs,
    default: 60_000
  }),
  NOTIFICATION_POLL_MS: Type.Integer({
    description: 'how often to look for what is due again',
    minimum: 10,
    maximum: minuteMs,
    default: 1_000
  }),
  NOTIFICATION_ENDPOINTS_REFRESH_MS: Type.Integer({
    description: 'how often the webhook endpoints in the database are read',
    minimum: 50,
    maximum: hourMs,
    default: 5_000
  }),
  NOTIFICATION_RETENTION_DAYS: Type.Integer({
    description: 'for how many days what was sent is remembered; longer than the topics keep their records',
    minimum: 1,
    maximum: 3_650,
    default: retention.deliveryDays
  }),
  ...sinkSettings
})
