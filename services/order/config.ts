import { callerSettings } from '@orderly/callers'
import { retention } from '@orderly/contracts'
import { databaseSettings, kafkaSettings, registrySettings, serviceSettings } from '@orderly/service-kit'
import { Type } from 'typebox'

export const configSchema = Type.Object({
  ...serviceSettings,
  ...kafkaSettings,
  ...registrySettings,
  ...databaseSettings('orderly_order'),
  ...callerSettings,
  ORDER_DELIVERY_TIMEOUT_MS: Type.Integer({
    description: 'how long an order may take to be stored before its request is answered 503',
    minimum: 100,
    maximum: 60_000,
    default: 5_000
  }),
  ORDER_MAX_WAITING: Type.Integer({
    description: 'how many orders may wait to be stored; more are answered 503 at once',
    minimum: 1,
    maximum: 1_000_000,
    default: 5_000
  }),
  ORDER_CREATED_VERSION: Type.Integer({
    description: 'the version of OrderCreated to write; from 2 on orders may be in any currency, from 3 on have a hold',
    minimum: 1,
    maximum: 3,
    default: 3
  }),
  ORDER_KEY_HOURS: Type.Integer({
    description: 'how many hours an idempotency key is remembered',
    minimum: retention.keyHours,
    maximum: 8_760,
    default: retention.keyHours
  }),
  ORDER_MAX_STREAMS: Type.Integer({
    description: 'how many streams of status may be open; more are answered 503',
    minimum: 1,
    maximum: 100_000,
    default: 1_000
  }),
  ORDER_MAX_STREAMS_PER_CALLER: Type.Optional(
    Type.Integer({
      description:
        'how many streams of status one caller may have open, a quarter of ORDER_MAX_STREAMS if not set; more are answered 429',
      minimum: 1,
      maximum: 100_000
    })
  )
})
