import { createRandom, type Random } from './random.ts'

export interface Line {
  readonly sku: string
  readonly quantity: number
}

/** An order as it will be placed. Whoever sees it again recognizes it by its id, which travels as the W3C trace id. */
export interface RequestPlan {
  readonly id: string
  /** After the start of the load. */
  readonly atMs: number
  /** Which of the order service's instances is asked. */
  readonly entrance: number
  readonly userID: string
  readonly items: readonly Line[]
  readonly totalMinor: number
  /** Says what is wrong with it; such a request must be refused. */
  readonly defect?: Defect
  /** After this long the client hangs up and never learns what became of it. */
  readonly patienceMs: number
  /** With a key, a client that learnt nothing asks again, under an id of its own each time. */
  readonly idempotencyKey?: string
  /** Before each further attempt. */
  readonly retryDelaysMs?: readonly number[]
  readonly holdSeconds?: number
  /** What is wanted of the order once it is accepted. */
  readonly wishes?: readonly WishPlan[]
}

export type Wish = 'cancel' | 'confirm'

export interface WishPlan {
  readonly id: string
  readonly wish: Wish
  /** After the order was answered. */
  readonly afterMs: number
  readonly entrance: number
  /** Before each further attempt, as long as nobody has told what became of it. */
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

/** Poison comes under these keys only: whoever shares a key with it is parked behind it. */
export const poisonedUsers = ['mallory-1', 'mallory-2', 'mallory-3', 'mallory-4']
/** The same among changes: their orders are decided, and then nothing is changed any more, so that holds stay open. */
export const poisonedChangers = ['trudy-1', 'trudy-2']

const patientMs = 12_000

/** Enough of the usual, too little of the scarce; the hot SKUs, which most orders want, run out on the way. */
export function planStock(seed: number, expectedRequests: number): Readonly<Record<string, number>> {
  const random = createRandom(seed, 'stock')
  const stock: Record<string, number> = {}
  for (const sku of hotSKUs) stock[sku] = Math.ceil(expectedRequests * (0.3 + random.next()))
  for (const sku of scarceSKUs) stock[sku] = random.integer(0, Math.ceil(expectedRequests / 20))
  for (const sku of usualSKUs) stock[sku] = Math.ceil(expectedRequests * (0.1 + random.next() / 2))
  return stock
}

/** Orders without end, at the pace that was asked for. */
export function* planLoad(seed: number, { requestsPerSecond }: LoadOptions): Generator<RequestPlan, never> {
  const random = createRandom(seed, 'load')
  let atMs = 0
  for (let number = 1; ; number++) {
    atMs += (1_000 / requestsPerSecond) * 2 * random.next()
    const defect = random.chance(0.03) ? random.pick(defects) : undefined
    const id = traceIDOf(seed, number)
    const retryDelaysMs = planRetries(random)
    const holdSeconds = random.chance(0.2) ? random.integer(1, 3) : undefined
    const wishes = planWishes(random, id, holdSeconds)
    yield {
      id,
      atMs: Math.round(atMs),
      entrance: random.integer(0, 1_000),
      userID: pickUser(random),
      items: planItems(random),
      totalMinor: number,
      patienceMs: random.chance(0.05) ? random.integer(1, 20) : patientMs,
      ...(defect !== undefined && { defect }),
      ...(holdSeconds !== undefined && { holdSeconds }),
      ...(wishes.length > 0 && { wishes }),
      ...(random.chance(0.6) && { idempotencyKey: id, retryDelaysMs })
    }
  }
}

function pickUser(random: Random): string {
  const draw = random.next()
  if (draw < 0.06) return random.pick(poisonedUsers)
  return draw < 0.1 ? random.pick(poisonedChangers) : random.pick(users)
}

function planRetries(random: Random): number[] {
  return Array.from({ length: 5 }, () => random.integer(100, 1_500))
}

/** Cancels at once or later, and twice at times; confirmations early, late, and when the hold is about to end. */
function planWishes(random: Random, orderID: string, holdSeconds: number | undefined): WishPlan[] {
  const wishes: WishPlan[] = []
  const add = (wish: Wish, afterMs: number) => {
    const id = (wishes.length + 8).toString(16) + orderID.slice(1)
    wishes.push({ id, wish, afterMs, entrance: random.integer(0, 1_000), retryDelaysMs: planRetries(random) })
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
  return wishes
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

/** 32 hexadecimal digits, never all zero. */
function traceIDOf(seed: number, number: number): string {
  return (seed >>> 0).toString(16).padStart(16, '0') + number.toString(16).padStart(16, '0')
}

/** The same order once more: nothing is different but the id of the attempt. */
export function nextAttempt(plan: RequestPlan, attempt: number): RequestPlan {
  return { ...plan, id: nextID(plan.id, attempt), patienceMs: patientMs }
}

/** Of the first 7 further attempts. */
export function nextID(id: string, attempt: number): string {
  return id.slice(0, 1) + attempt.toString(16) + id.slice(2)
}

/** The body as it goes over the wire. */
export function bodyOf({ userID, items, totalMinor, holdSeconds, defect }: RequestPlan): string {
  const order = { userID, items, total: totalMinor / 100, ...(holdSeconds !== undefined && { holdSeconds }) }
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
      throw new RangeError(`what is ${defect satisfies never}?`)
  }
}
