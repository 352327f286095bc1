import type { PlaceOrder } from '../accept-order.ts'

/** An order with all fields. Tests place it, store it and read it back. */
export const everyField: Required<PlaceOrder> = {
  userID: 'user-17',
  items: [
    { sku: 'MUG', quantity: 2 },
    { sku: 'TEA "x"', quantity: 1 }
  ],
  total: 25.9,
  currency: 'USD',
  holdSeconds: 900
}

/** Another value for each field. */
export const otherValues: Required<PlaceOrder> = {
  userID: 'user-18',
  items: [{ sku: 'MUG', quantity: 2 }],
  total: 26,
  currency: 'EUR',
  holdSeconds: 901
}

/** Values of each field that `POST /orders` refuses. A text needs one that is too long and one with a control character. */
export const refusedValues: { readonly [Field in keyof PlaceOrder]-?: readonly [unknown, ...unknown[]] } = {
  userID: ['x'.repeat(129), 'a\0'],
  items: [[]],
  total: [-1],
  currency: ['euro'],
  holdSeconds: [0, 604_801, '900']
}
