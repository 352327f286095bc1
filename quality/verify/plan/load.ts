import type { OrderCreated } from '@orderly/contracts'
import { createRandom, type Random } from './random.ts'
import { planWait } from './status-reads.ts'

export interface Line {
  readonly sku: string
  readonly quantity: number
}

export type OptionalField = Exclude<
  keyof OrderCreated,
  'orderID' | 'userID' | 'items' | 'totalMinor' | 'currency' | 'createdAtMs'
>
type OptionalFields = { readonly [Field in OptionalField]?: NonNullable<OrderCreated[Field]> }

/**
 * Generates the value of each optional field of an order, or undefined to omit it. A field without
 * a generator is a type error.
 */
const optionalFields: { readonly [Field in OptionalField]: (random: Random) => OptionalFields[Field] | undefined } = {
  holdSeconds: random => (random.chance(0.2) ? random.integer(1, 3) : undefined)
}

export const optionalFieldNames = Object.keys(optionalFields) as OptionalField[]

/**
 * A planned request to place an order. Its id is sent as the W3C trace id, which identifies its
 * records.
 */
export interface RequestPlan extends OptionalFields {
  readonly id: string
  /** Time since the start of the load. */
  readonly atMs: number
  /** Number that selects the order instance, modulo the running ones. */
  readonly endpoint: number
  readonly userID: string
  readonly items: readonly Line[]
  readonly totalMinor: number
  /** Defect of an invalid request, which must be refused. */
  readonly defect?: Defect
  /** Timeout after which the client closes the connection without an answer. */
  readonly patienceMs: number
  /**
   * With a key, the client repeats the request while its result is unknown, each time with a new
   * id.
   */
  readonly idempotencyKey?: string
  /** Delay before each further attempt. */
  readonly retryDelaysMs?: readonly number[]
  /** Seconds of `Prefer: wait`, with which the client waits for the outcome. */
  readonly waitSeconds?: number
  /** Cancels and confirmations to send after the order is accepted. */
  readonly changeRequests?: readonly ChangePlan[]
}

export type ChangeKind = 'cancel' | 'confirm'

export interface ChangePlan {
  readonly id: string
  readonly changeRequest: ChangeKind
  /** Time since the order was accepted. */
  readonly afterMs: number
  readonly endpoint: number
  /** Seconds of `Prefer: wait`, with which the client waits for the change to take effect. */
  readonly waitSeconds?: number
  /** Delay before each further attempt while the result is unknown. */
  readonly retryDelaysMs: readonly number[]
}

export const defects = [
  'no-items',
  'zero-quantity',
  'same-sku-twice',
  'unknown-field',
  'broken-json',
  'no-user'
] as const
export type Defect = (typeof defects)[number]

export interface LoadOptions {
  readonly requestsPerSecond: number
}

const hotSKUs = ['HOT-1', 'HOT-2']
const scarceSKUs = Array.from({ length: 6 }, (_, index) => `SCARCE-${index + 1}`)
const usualSKUs = Array.from({ length: 20 }, (_, index) => `USUAL-${index + 1}`)
const unknownSKU = 'UNHEARD-OF'
const users = Array.from({ length: 12 }, (_, index) => `user-${index + 1}`)

/** Users whose keys have poison among orders; their later orders become dead letters. */
export const poisonedUsers = ['mallory-1', 'mallory-2', 'mallory-3', 'mallory-4']
/** Users whose keys have poison among change requests: orders are decided, but holds stay open. */
export const poisonedChangers = ['trudy-1', 'trudy-2']

/** All users of the load. */
export const allUsers: readonly string[] = [...users, ...poisonedUsers, ...poisonedChangers]

const patientMs = 12_000

/**
 * Returns initial stock: enough of usual SKUs, too little of scarce ones; hot SKUs run out midway.
 */
export function planStock(seed: number, expectedRequests: number): Readonly<Record<string, number>> {
  const random = createRandom(seed, 'stock')
  const stock: Record<string, number> = {}
  for (const sku of hotSKUs) stock[sku] = Math.ceil(expectedRequests * (0.3 + random.next()))
  for (const sku of scarceSKUs) stock[sku] = random.integer(0, Math.ceil(expectedRequests / 20))
  for (const sku of usualSKUs) stock[sku] = Math.ceil(expectedRequests * (0.1 + random.next() / 2))
  return stock
}

/** Generates an endless sequence of requests at the given rate. */
export function* planLoad(seed: number, { requestsPerSecond }: LoadOptions): Generator<RequestPlan, never> {
  const random = createRandom(seed, 'load')
  let atMs = 0
  for (let number = 1; ; number++) {
    atMs += (1_000 / requestsPerSecond) * 2 * random.next()
    const defect = random.chance(0.03) ? random.pick(defects) : undefined
    const id = traceIDOf(seed, number)
    const retryDelaysMs = planRetries(random)
    const optional = planOptionalFields(random)
    const changeRequests = planChanges(random, id, optional.holdSeconds).map(plan => ({
      ...plan,
      ...waitOf(seed, plan.id)
    }))
    yield {
      id,
      atMs: Math.round(atMs),
      endpoint: random.integer(0, 1_000),
      userID: pickUser(random),
      items: planItems(random),
      totalMinor: number,
      patienceMs: random.chance(0.05) ? random.integer(1, 20) : patientMs,
      ...(defect !== undefined && { defect }),
      ...optional,
      ...(changeRequests.length > 0 && { changeRequests }),
      ...(random.chance(0.6) && { idempotencyKey: id, retryDelaysMs }),
      ...waitOf(seed, id)
    }
  }
}

function planOptionalFields(random: Random): OptionalFields {
  const fields = optionalFieldNames.map(name => [name, optionalFields[name](random)] as const)
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined))
}

/** Returns the wait of a request or change request, which does not depend on the rest of the plan. */
function waitOf(seed: number, id: string): { readonly waitSeconds?: number } {
  const waitSeconds = planWait(seed, id)
  return waitSeconds === undefined ? {} : { waitSeconds }
}

function pickUser(random: Random): string {
  const draw = random.next()
  if (draw < 0.06) return random.pick(poisonedUsers)
  return draw < 0.1 ? random.pick(poisonedChangers) : random.pick(users)
}

function planRetries(random: Random): number[] {
  return Array.from({ length: 5 }, () => random.integer(100, 1_500))
}

/**
 * Plans cancels (immediate, later, repeated) and confirmations (early, late, near the end of the
 * hold).
 */
function planChanges(random: Random, orderID: string, holdSeconds: number | undefined): ChangePlan[] {
  const changeRequests: ChangePlan[] = []
  const add = (changeRequest: ChangeKind, afterMs: number) => {
    const id = (changeRequests.length + 8).toString(16) + orderID.slice(1)
    changeRequests.push({
      id,
      changeRequest,
      afterMs,
      endpoint: random.integer(0, 1_000),
      retryDelaysMs: planRetries(random)
    })
  }
  if (holdSeconds !== undefined && random.chance(0.7)) {
    const endMs = holdSeconds * 1_000
    add('confirm', random.chance(0.5) ? random.integer(0, endMs) : random.integer(endMs, endMs + 700))
  }
  if (random.chance(0.2)) {
    const afterMs = random.chance(0.5) ? 0 : random.integer(0, 3_000)
    add('cancel', afterMs)
    if (random.chance(0.3)) add('cancel', afterMs + random.integer(0, 50))
  }
  return changeRequests
}

function planItems(random: Random): Line[] {
  const skus = new Set<string>()
  for (let count = random.integer(1, 4); count > 0; count--) skus.add(pickSKU(random))
  return [...skus].map(sku => ({ sku, quantity: random.chance(0.1) ? random.integer(5, 20) : random.integer(1, 3) }))
}

function pickSKU(random: Random): string {
  const draw = random.next()
  if (draw < 0.45) return random.pick(hotSKUs)
  if (draw < 0.65) return random.pick(scarceSKUs)
  return draw < 0.99 ? random.pick(usualSKUs) : unknownSKU
}

/** Returns 32 hexadecimal digits that are never all zero. */
function traceIDOf(seed: number, number: number): string {
  return (seed >>> 0).toString(16).padStart(16, '0') + number.toString(16).padStart(16, '0')
}

/** Returns the same request with the id of a further attempt and the usual timeout. */
export function nextAttempt(plan: RequestPlan, attempt: number): RequestPlan {
  return { ...plan, id: nextID(plan.id, attempt), patienceMs: patientMs }
}

/** Returns the id of a further attempt; works for the first 7. */
export function nextID(id: string, attempt: number): string {
  return id.slice(0, 1) + attempt.toString(16) + id.slice(2)
}

/** Returns the request body. */
export function bodyOf(plan: RequestPlan): string {
  const { userID, items, totalMinor, defect } = plan
  const optional = Object.fromEntries(optionalFieldNames.map(name => [name, plan[name]]))
  const order = { userID, items, total: totalMinor / 100, ...optional }
  switch (defect) {
    case undefined:
      return JSON.stringify(order)
    case 'no-items':
      return JSON.stringify({ ...order, items: [] })
    case 'zero-quantity':
      return JSON.stringify({ ...order, items: items.map(item => ({ ...item, quantity: 0 })) })
    case 'same-sku-twice':
      return JSON.stringify({ ...order, items: [...items, items[0]] })
    case 'unknown-field':
      return JSON.stringify({ ...order, coupon: 'FREE' })
    case 'broken-json':
      return JSON.stringify(order).slice(0, -1)
    case 'no-user':
      return JSON.stringify({ items, total: order.total })
    default:
      throw new RangeError(`unknown defect: ${defect satisfies never}`)
  }
}
