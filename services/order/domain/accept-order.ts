import { defaultsOf, type OrderCreated, orderCreatedSchemas } from '@orderly/contracts'
import type { PlainFields } from './order-change.ts'

/**
 * A validated order request: at least one line, no duplicate SKU, every number within its limits.
 */
export interface PlaceOrder extends Partial<PlainFields> {
  readonly userID: string
  readonly items: readonly { readonly sku: string; readonly quantity: number }[]
  /** Amount in major units as requested, with at most the decimals of the currency. */
  readonly total: number
  /** ISO 4217 code. */
  readonly currency?: string
}

export interface OrderContext {
  /** Idempotency key of the request. */
  readonly key: string | undefined
  readonly traceparent: string
  /** Caller that places the order; undefined if authentication is off. */
  readonly caller: string | undefined
}

/** Result of placing an order. */
export type Placement =
  /** The order is in the topic. `isReplay` is true if an earlier request had the same key. */
  | { readonly kind: 'placed'; readonly orderID: string; readonly traceparent: string; readonly isReplay: boolean }
  /** Another request with this key is in flight. */
  | { readonly kind: 'in-flight'; readonly retryAfterMs: number }
  /** The key belongs to another order. */
  | { readonly kind: 'key-conflict' }

/** Returns the event of an order that is accepted with the given id and time. */
export function acceptOrder(command: PlaceOrder, given: { orderID: string; nowMs: number }): OrderCreated {
  const currency = command.currency ?? defaultCurrency
  return {
    orderID: given.orderID,
    userID: command.userID,
    items: command.items,
    totalMinor: toMinorUnits(command.total, decimalsOf(currency)),
    currency,
    holdSeconds: command.holdSeconds ?? null,
    createdAtMs: given.nowMs
  }
}

const defaults: Partial<OrderCreated> = defaultsOf(orderCreatedSchemas)

/**
 * Returns the content of an order as canonical text, the input of its fingerprint. Two requests
 * have the same text if and only if they request the same order. Irrelevant are white space, the
 * order of fields and lines, the notation of numbers (`2.5`, `2.50`) and whether the default
 * currency is named. A field that has its default is omitted, so that a new field does not change
 * the texts of orders without it.
 */
export function canonicalize(order: OrderCreated): string {
  const { orderID: _, createdAtMs: __, userID, items, totalMinor, currency, ...others } = order
  const lines = items.map(({ sku, quantity }) => [sku, quantity] as const).sort(([a], [b]) => (a < b ? -1 : 1))
  const names = (Object.keys(others) as (keyof typeof others)[]).filter(name => others[name] !== defaults[name]).sort()
  return JSON.stringify(['order', 1, userID, totalMinor, currency, lines, ...names.map(name => [name, others[name]])])
}

/**
 * Number of decimals of each currency in circulation (ISO 4217). The table is part of the code
 * because a minor unit must not change with the version of the runtime. Orders in other currencies
 * are refused.
 */
const codesByDecimals: readonly (readonly [decimals: number, codes: string])[] = [
  [0, 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF'],
  [
    2,
    `AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE
    CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR
    KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB
    PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY
    TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG`
  ],
  [3, 'BHD IQD JOD KWD LYD OMR TND']
]

const decimalsByCode: ReadonlyMap<string, number> = new Map(
  codesByDecimals.flatMap(([decimals, codes]) => codes.split(/\s+/).map(code => [code, decimals] as const))
)

/** Currency of an order that names none. All orders of OrderCreated V1 are in this currency. */
export const defaultCurrency = 'EUR'

export const currencies: readonly string[] = [...decimalsByCode.keys()].sort()

/**
 * Returns the decimals of a currency that was read from a topic. Undefined for an unknown currency.
 */
export function knownDecimalsOf(currency: string): number | undefined {
  return decimalsByCode.get(currency)
}

/** Returns the decimals of a currency. @throws RangeError if the currency is not in `currencies` */
export function decimalsOf(currency: string): number {
  const decimals = knownDecimalsOf(currency)
  if (decimals === undefined) {
    throw new RangeError(`currency "${currency}" is not supported: use the ISO 4217 code of one in circulation`)
  }
  return decimals
}

/**
 * Returns an amount in minor units: with two decimals 12.3 → 1230. The result is exact although
 * `0.07 * 100` is 7.000000000000001. IEEE 754 rounds quotients correctly, so only the right
 * integer, divided by the scale, equals the given amount.
 * @throws RangeError if the amount is negative, has more than `decimals` decimals or is too large
 * to be exact
 */
export function toMinorUnits(amount: number, decimals: number): number {
  const scale = 10 ** decimals
  const minorUnits = Math.round(amount * scale)
  if (!(amount >= 0 && minorUnits / scale === amount && Number.isSafeInteger(minorUnits))) {
    throw new RangeError(`the amount must be 0 or more with at most ${decimals} decimals (got ${amount})`)
  }
  return minorUnits + 0 // converts -0 to 0
}

/** Returns an amount in major units: with two decimals 1230 → 12.3. The result is exact. */
export function toMajorUnits(minorUnits: number, decimals: number): number {
  return Number(`${minorUnits}e-${decimals}`)
}
