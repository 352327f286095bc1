import type { Decision, OrderChange, Position } from '../order-change.ts'
import type { Order } from '../order-status.ts'

/**
 * Returns the order, or undefined while its acceptance is unknown. Omits a confirmation and a
 * release while the outcome is unknown.
 */
export function orderOf({ orderID, userID, created, decided, confirmed, released }: OrderChange): Order | undefined {
  if (created === undefined) return undefined
  return {
    orderID,
    userID,
    created: withoutPosition(created),
    ...(decided && { decided: withoutPosition(decided) as Decision }),
    ...(decided && confirmed && { confirmed: withoutPosition(confirmed) }),
    ...(decided && released && { released: withoutPosition(released) })
  }
}

function withoutPosition<Fact extends Position>({
  partition: _,
  offset: __,
  topicID: ___,
  ...fact
}: Fact): Omit<Fact, keyof Position> {
  return fact
}
