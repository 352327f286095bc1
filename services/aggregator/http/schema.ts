import { refused, serviceUnavailable } from '@orderly/service-kit'
import { Type } from 'typebox'

/** Schemas of `GET /rates`, from which validation, types and the OpenAPI document derive. */

export const usualMinutes = 60

const Rate = Type.Object({
  window: Type.String({ description: 'The minute, which is the key of its records.', examples: ['2025-11-23T06:47Z'] }),
  windowStartMs: Type.Integer(),
  windowEndMs: Type.Integer(),
  orders: Type.Integer({ description: 'Orders created in the minute and written within its grace period.' }),
  perSecond: Type.Number(),
  perMinute: Type.Number(),
  late: Type.Integer({ description: 'Orders created in the minute, but written or processed too late for `orders`.' }),
  revision: Type.Integer({ description: 'Increases with every change; 0 for a minute without orders.' }),
  isFinal: Type.Boolean({ description: 'True once `orders` can no longer change.' })
})

export const getRates = {
  operationId: 'getRates',
  summary: 'Count orders per minute',
  description:
    'Returns the newest minutes. A minute counts the orders that were created in it. Its `orders` never change once it is final; orders that arrive later are in `late`.',
  tags: ['rates'],
  querystring: Type.Object(
    {
      // Query parameters are not coerced, so the number is validated as text.
      minutes: Type.Optional(
        Type.String({
          description: '1 to 1440, default 60',
          pattern: '^([1-9][0-9]{0,2}|1[0-3][0-9]{2}|14[0-3][0-9]|1440)$'
        })
      )
    },
    { additionalProperties: false }
  ),
  response: {
    200: Type.Object({
      completeUntilMs: Type.Union([Type.Integer(), Type.Null()], {
        description: 'All orders written to their topic before this time are counted; null while unknown.'
      }),
      windows: Type.Array(Rate, { description: 'The current minute first, including minutes without orders.' })
    }),
    400: refused('The query is invalid.'),
    500: refused('Internal server error.'),
    503: serviceUnavailable('The counts are temporarily unavailable. Retry after the given time.')
  }
}
