import { inventoryMutants } from './in-inventory.ts'
import { kafkaMutants } from './in-kafka.ts'
import { notificationMutants } from './in-notification.ts'
import { orderMutants } from './in-order.ts'
import { stockMutants } from './in-stock.ts'
import type { Mutant } from './mutant.ts'

/** Realistic bugs; the verifier must find each of them. */
export const mutants: readonly Mutant[] = [
  ...kafkaMutants,
  ...inventoryMutants,
  ...notificationMutants,
  ...orderMutants,
  ...stockMutants
]
