import { refused, serviceUnavailable } from '@orderly/service-kit'
import { Type } from 'typebox'

/** The single source of what `GET /rates` takes and answers. */

export const usualMinutes = 60

const Rate = Type.Object({
  window: Type.String({ description: 'The minute; key of its records.', examples: ['2025-11-23T06:47Z'] }),
  windowStartMs: Type.Integer(),
  windowEndMs: Type.Integer(),
  orders: Type.Integer({ description: 'Orders created in the minute that came in time.' }),
  perSecond: Type.Number(),
  perMinute: Type.Number(),
  late: Type.Integer({ description: 'Orders created in the minute that came too late to be among `orders`.' }),
  revision: Type.Integer({ description: 'Rises with every change; 0 for a minute in which nothing has happened.' }),
  isFinal: Type.Boolean({ description: '`orders` never changes again.' })
})

export const getRates = {
  operationId: 'getRates',
  summary: 'Orders per minute',
  querystring: Type.Object(
    {
      // The text of a query is never coerced, so this is a number as text.
      minutes: Type.Optional(
        Type.String({
          description: 'a whole number from 1 to 1440',
          pattern: '^([1-9][0-9]{0,2}|1[0-3][0-9]{2}|14[0-3][0-9]|1440)$'
        })
      )
    },
    { additionalProperties: false }
  ),
  response: {
    200: Type.Object({
      completeUntilMs: Type.Union([Type.Integer(), Type.Null()], {
        description: 'All orders written to their topic before this have been counted; null while that is not known.'
      }),
      windows: Type.Array(Rate, { description: 'The current minute first. Minutes without orders are among them.' })
    }),
    400: refused('The query is wrong.'),
    500: refused('Our fault.'),
    503: serviceUnavailable('The counts cannot be read at the moment. Try again.')
  }
}
