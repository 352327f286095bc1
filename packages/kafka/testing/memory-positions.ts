import {
  checkAdvanced,
  type Incident,
  type PositionAdvance,
  PositionConflictError,
  type PositionStore,
  type StoredPosition
} from '../stage/position-store.ts'

/** In-memory PositionStore for unit tests; passes the same contract test as the one in Postgres. */
export interface MemoryPositions extends PositionStore {
  readonly incidents: readonly Incident[]
  /** Returns the complete state, which `restore` reinstates. */
  snapshot(): ReadonlyMap<string, StoredPosition>
  /** Replaces the state by that of a snapshot, as a restored backup does. */
  restore(snapshot: ReadonlyMap<string, StoredPosition>): void
}

/** Creates a store without positions. */
export function createMemoryPositions(whenBehind: PositionStore['whenBehind'] = 'stop'): MemoryPositions {
  let positions = new Map<string, StoredPosition>()
  const incidents: Incident[] = []
  const placeOf = ({ topic, partition }: { topic: string; partition: number }) => `${topic}/${partition}`

  return {
    whenBehind,
    remedies: { offsetsMissing: 'Set the offsets.', databaseBehind: 'Repair the database.' },
    incidents,
    snapshot: () => new Map(positions),
    restore(snapshot) {
      positions = new Map(snapshot)
    },
    load: async () => [...positions.values()],

    async advance(advances) {
      const saved = advances.filter(own => {
        const stored = positions.get(placeOf(own))
        return stored?.topicID === own.topicID && stored.offset >= own.from
      })
      checkAdvanced(advances, saved)
      for (const own of advances) positions.set(placeOf(own), advanced(positions.get(placeOf(own)), own))
    },

    async replace(changes, noted) {
      for (const { former, position } of changes) {
        const stored = positions.get(placeOf(position))
        if (stored?.offset !== former?.offset || stored?.topicID !== former?.topicID)
          throw new PositionConflictError(`the stored position of ${position.topic}/${position.partition} has changed`)
      }
      for (const { position } of changes) positions.set(placeOf(position), position)
      for (const incident of noted) if (!incidents.some(known => isSame(known, incident))) incidents.push(incident)
    }
  }
}

function advanced(stored: StoredPosition | undefined, own: PositionAdvance): StoredPosition {
  const { topic, partition, topicID, to, leaderEpoch } = own
  const position =
    stored !== undefined && stored.offset >= to ? stored : { topic, partition, topicID, offset: to, leaderEpoch }
  const committed = stored?.committedOffset
  const isNewer = committed === undefined || own.committedOffset > committed
  return { ...position, committedOffset: isNewer ? own.committedOffset : committed }
}

function isSame(one: Incident, other: Incident): boolean {
  return JSON.stringify(Object.entries(one), asText) === JSON.stringify(Object.entries(other), asText)
}

const asText = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value)
