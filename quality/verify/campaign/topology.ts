import type { SeedRecord } from './record.ts'

type Topology = Pick<SeedRecord, 'brokers' | 'hasConnect'>

/** Returns the topology of a seed: four seeds in a row have all four. */
export function topologyOf(seed: number): Topology {
  return { brokers: seed % 2 === 0 ? 1 : 3, hasConnect: seed % 4 >= 2 }
}

export function describeTopology({ brokers, hasConnect }: Topology): string {
  return `${brokers === 1 ? '1 broker' : `${brokers} brokers`}${hasConnect ? ' and Connect' : ''}`
}
