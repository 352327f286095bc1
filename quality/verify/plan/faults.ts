import { stageFailpoints, tickFailpoint } from '@orderly/kafka'
import { poisonedChangers, poisonedUsers } from './load.ts'
import { createRandom, type Random } from './random.ts'

/** A planned fault. */
export interface FaultPlan {
  /** Time since the start of the load. */
  readonly atMs: number
  readonly kind: FaultKind
  readonly target: string
  readonly durationMs: number
  /** Failpoint of a fault that happens at one. */
  readonly point?: { readonly name: string; readonly afterPasses: number; readonly frozenMs?: number }
}

export interface Topology {
  /** Number of instances by service. */
  readonly instances: Readonly<Record<string, number>>
  readonly brokers: number
  /** True if Kafka Connect runs and writes the audit tables. */
  readonly hasConnect?: boolean
}

/**
 * Frequency of each kind of fault. Kinds are drawn like cards from a deck with this number of cards
 * of each kind, so that a run of 90 seconds contains all of them.
 */
export const usualWeights = {
  /** `kill -9` of a service instance; the supervisor restarts it. */
  kill: 3,
  /** `kill -9` at a failpoint. */
  'kill-at-point': 12,
  /** Frozen at a failpoint for about the session and transaction timeouts, then resumed. */
  'freeze-at-point': 1,
  /**
   * From a failpoint on, Kafka receives requests, but answers are lost; then the connections break.
   */
  'mute-at-point': 3,
  freeze: 2,
  /** Frozen past the session timeout: other instances get its partitions, then it is resumed. */
  'freeze-past-session': 1,
  /** Frozen, replaced by a second process of the same name, then resumed: a zombie. */
  replace: 2,
  'add-instance': 1,
  'remove-instance': 1,
  'kill-broker': 1,
  'restart-broker': 1,
  'freeze-broker': 1,
  'kill-postgres': 1,
  'freeze-postgres': 1,
  'kill-connect': 2,
  'freeze-connect': 1,
  /** Every chunk is delayed. */
  slow: 1,
  /** Connections stay open, but nothing passes. */
  stall: 1,
  /** Connections break and new ones are refused. */
  cut: 1,
  /** Requests arrive, but answers do not; then the connections break. */
  mute: 2,
  /** A poison record in `orders.created`. */
  poison: 2,
  /** A poison record in `orders.changes`. */
  'poison-changes': 1,
  /** Ends all faults; the pipeline must recover before the next fault. */
  heal: 2
} as const

export type FaultKind = keyof typeof usualWeights
export type Weights = Readonly<Partial<Record<FaultKind, number>>>

/** Failpoints of each service. */
export const pointsOf: Readonly<Record<string, readonly string[]>> = {
  order: ['sequence-reserved', 'key-claimed', 'order-written', 'key-stored'],
  inventory: stageFailpoints,
  notification: ['batch-read', 'batch-processed', 'after-commit'],
  aggregator: stageFailpoints
}

/** Failpoints for plans that name them. Among the others they would change the plan of every seed. */
const namedPoints: Readonly<Record<string, readonly string[]>> = { inventory: [tickFailpoint] }

export interface FaultPlanOptions {
  readonly seed: number
  readonly durationMs: number
  readonly topology: Topology
  readonly weights?: Weights
  /** Services to inject faults into; all by default. */
  readonly services?: readonly string[]
  readonly points?: readonly string[]
}

const warmUpMs = 1_500
const healMs = 8_000
/** Maximum time for a process to reach its failpoint; other faults can delay it. */
const reachFailpointMs = 10_000

export function planFaults(options: FaultPlanOptions): FaultPlan[] {
  const random = createRandom(options.seed, 'faults')
  const deck = createDeck(possible(options.weights ?? usualWeights, options.topology), random)
  const aim = createAim(options, random)
  const busyUntilMs = new Map<string, number>()
  const plan: FaultPlan[] = []
  for (let atMs = warmUpMs; atMs < options.durationMs - 1_000; ) {
    const kind = deck.draw()
    if (kind === 'heal') {
      if (plan.at(-1)?.kind === kind) continue
      const healAtMs = Math.max(atMs, ...busyUntilMs.values()) + 500
      if (healAtMs + healMs >= options.durationMs) continue
      plan.push({ atMs: healAtMs, kind, target: 'everything', durationMs: 0 })
      atMs = healAtMs + healMs
      continue
    }
    const fault = aim(kind, atMs)
    // Faults overlap, but not on one target, and at most one broker is down at a time.
    if (fault !== undefined && atMs >= (busyUntilMs.get(exclusionOf(fault)) ?? 0)) {
      plan.push(fault)
      busyUntilMs.set(exclusionOf(fault), atMs + fault.durationMs + 500)
    } else if (fault !== undefined) deck.putBack(kind)
    atMs += random.integer(200, 3_000)
  }
  return plan
}

/** Removes the faults of Kafka Connect if it does not run. */
function possible(weights: Weights, { hasConnect = false }: Topology): Weights {
  return Object.fromEntries(Object.entries(weights).filter(([kind]) => hasConnect || !kind.endsWith('-connect')))
}

function exclusionOf({ kind, target }: FaultPlan): string {
  return kind.endsWith('-broker') ? 'brokers' : target
}

interface Deck {
  draw(): FaultKind
  /** Returns a card to the bottom of the deck, to be drawn after all others. */
  putBack(kind: FaultKind): void
}

function createDeck(weights: Weights, random: Random): Deck {
  const cards = Object.entries(weights).flatMap(([kind, weight]) => Array<FaultKind>(weight).fill(kind as FaultKind))
  if (cards.every(kind => kind === 'heal'))
    throw new RangeError('at least one kind of fault other than heal must have a weight')
  let left: FaultKind[] = []
  return {
    draw() {
      if (left.length === 0) left = random.shuffle(cards)
      return left.pop() as FaultKind
    },
    putBack: kind => void left.unshift(kind)
  }
}

function createAim({ topology, services, points }: FaultPlanOptions, random: Random) {
  const isWanted = (service: string) => services === undefined || services.includes(service)
  const instances = Object.entries(topology.instances).flatMap(([service, count]) =>
    isWanted(service) ? Array.from({ length: count }, (_, index) => `${service}-${index + 1}`) : []
  )
  const brokers = Array.from({ length: topology.brokers }, (_, index) => `kafka-${index + 1}`)
  const candidates = random.shuffle(
    Object.entries(pointsOf).flatMap(([service, names]) =>
      isWanted(service) && topology.instances[service] !== undefined
        ? [...names, ...(namedPoints[service] ?? [])]
            .filter(name => (points ?? names).includes(name))
            .map(name => ({ service, name }))
        : []
    )
  )
  let nextCandidate = 0
  // The order service is in no consumer group, so it cannot be replaced as a member.
  const stages = instances.filter(instance => serviceOf(instance) !== 'order')

  return (kind: FaultKind, atMs: number): FaultPlan | undefined => {
    const at = (target: string | undefined, durationMs: number): FaultPlan | undefined =>
      target === undefined ? undefined : { atMs, kind, target, durationMs }
    const anyOf = (targets: readonly string[]) => (targets.length === 0 ? undefined : random.pick(targets))
    switch (kind) {
      case 'kill':
        return at(anyOf(instances), random.integer(0, 1_500))
      case 'kill-at-point':
      case 'freeze-at-point':
      case 'mute-at-point': {
        const candidate = candidates[nextCandidate++ % candidates.length]
        if (candidate === undefined) return undefined
        const instance = random.integer(1, topology.instances[candidate.service] as number)
        const point = { name: candidate.name, afterPasses: random.integer(1, 3) }
        const target = `${candidate.service}-${instance}`
        if (kind !== 'freeze-at-point') return { atMs, kind, target, durationMs: reachFailpointMs, point }
        const frozenMs = random.integer(10_300, 12_500)
        return { atMs, kind, target, durationMs: reachFailpointMs + frozenMs, point: { ...point, frozenMs } }
      }
      case 'freeze':
        return at(anyOf(instances), random.integer(300, 4_000))
      case 'freeze-past-session':
        return at(anyOf(stages), random.integer(11_500, 13_500))
      case 'replace':
        return at(anyOf(stages), random.integer(500, 3_000))
      case 'add-instance':
        return at(anyOf(Object.keys(topology.instances).filter(isWanted)), random.integer(4_000, 8_000))
      case 'remove-instance':
        return at(anyOf(instances), random.integer(1_000, 5_000))
      case 'kill-broker':
      case 'restart-broker':
        return at(anyOf(brokers), random.integer(0, 2_000))
      case 'freeze-broker':
        return at(anyOf(brokers), random.integer(500, 6_000))
      case 'kill-postgres':
        return at('postgres', random.integer(0, 2_000))
      case 'freeze-postgres':
        return at('postgres', random.integer(300, 5_000))
      case 'kill-connect':
        return at('connect', random.integer(0, 2_000))
      case 'freeze-connect':
        return at('connect', random.integer(500, 6_000))
      case 'slow':
      case 'stall':
      case 'cut':
      case 'mute':
        return at(`services>${random.pick([...brokers, ...brokers, 'postgres'])}`, random.integer(300, 4_000))
      case 'poison':
        return at(random.pick(poisonedUsers), 0)
      case 'poison-changes':
        return at(random.pick(poisonedChangers), 0)
      case 'heal':
        return undefined
    }
  }
}

export function serviceOf(instance: string): string {
  return instance.slice(0, instance.lastIndexOf('-'))
}
