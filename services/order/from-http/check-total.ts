import { ProblemError } from '@orderly/service-kit'
import type { PlaceOrder } from '../domain/accept-order.ts'
import { decimalsOf, defaultCurrency } from '../domain/currency.ts'
import { toMinorUnits } from '../domain/money.ts'

/**
 * How many decimals a total may have depends on its currency, which is more than the schema can say and name the field.
 * @throws ProblemError as for any field that is wrong
 */
export function checkTotal({ total, currency = defaultCurrency }: PlaceOrder): void {
  const decimals = decimalsOf(currency)
  try {
    toMinorUnits(total, decimals)
  } catch {
    const limit = decimals === 0 ? 'no decimals' : `at most ${decimals} decimals`
    throw new ProblemError(400, 'INVALID_REQUEST', 'The fields in `errors` are wrong; nothing was done.', [
      { pointer: '#/total', detail: `must have ${limit} in ${currency}` }
    ])
  }
}
