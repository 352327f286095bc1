export {
  acknowledgeIncidents,
  type IncidentRow,
  openIncidents,
  type PositionRow,
  storedPositions
} from './operate.ts'
export {
  createPostgresPositions,
  type PostgresPositions,
  type PostgresPositionsOptions
} from './postgres-positions.ts'
export { readDecideWriteWith, type Saving } from './read-decide-write.ts'
