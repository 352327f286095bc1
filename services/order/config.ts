import { callerSettings } from '@orderly/callers'
import { orderCreatedSchemas, type RecordSchema, retention } from '@orderly/contracts'
import { type Config, databaseSettings, kafkaSettings, registrySettings, serviceSettings } from '@orderly/service-kit'
import { Type } from 'typebox'

const { newestVersion } = orderCreatedSchemas
const versions: readonly RecordSchema[] = Object.values(orderCreatedSchemas.versions)
/** The fields that each version adds, such as "2 adds currency". */
const additions = versions.slice(1).map(({ fields }, index) => {
  const known = new Set(versions[index]?.fields.map(({ name }) => name))
  const added = fields.flatMap(({ name }) => (known.has(name) ? [] : name))
  return `${index + 2} adds ${added.join(' and ')}`
})

export const configSchema = Type.Object({
  ...serviceSettings,
  ...kafkaSettings,
  ...registrySettings,
  ...databaseSettings('orderly_order'),
  ...callerSettings,
  ORDER_DELIVERY_TIMEOUT_MS: Type.Integer({
    description: 'the maximum time to store an order, after which its request gets 503',
    minimum: 100,
    maximum: 60_000,
    default: 5_000
  }),
  ORDER_MAX_PENDING: Type.Integer({
    description: 'the maximum number of orders that wait to be stored; further orders get 503 immediately',
    minimum: 1,
    maximum: 1_000_000,
    default: 5_000
  }),
  ORDER_CREATED_VERSION: Type.Integer({
    description: `the version of OrderCreated to write: ${additions.join(', ')}`,
    minimum: 1,
    maximum: newestVersion,
    default: newestVersion
  }),
  ORDER_KEY_HOURS: Type.Integer({
    description: 'the number of hours for which an idempotency key is kept',
    minimum: retention.keyHours,
    maximum: 8_760,
    default: retention.keyHours
  }),
  ORDER_MAX_STREAMS: Type.Integer({
    description: 'the maximum number of open status streams; further streams get 503',
    minimum: 1,
    maximum: 100_000,
    default: 1_000
  }),
  ORDER_MAX_STREAMS_PER_CALLER: Type.Optional(
    Type.Integer({
      description:
        'the maximum number of open status streams per caller, by default a quarter of ORDER_MAX_STREAMS; further streams get 429',
      minimum: 1,
      maximum: 100_000
    })
  ),
  ORDER_TOKEN_SECRETS: Type.Optional(
    Type.Array(Type.String({ pattern: '^[!-+.-~-]{32,256}$' }), {
      description:
        'the secrets of order tokens, one or two of 32 to 256 characters, separated by a comma; the first signs, both are accepted; no tokens are issued without a secret',
      minItems: 1,
      maxItems: 2,
      secret: true
    })
  ),
  ORDER_TOKEN_HOURS: Type.Integer({
    description: 'the number of hours for which an order token is valid',
    minimum: 1,
    maximum: 168,
    default: 24
  })
})

export type OrderConfig = Config<(typeof configSchema)['properties']>
