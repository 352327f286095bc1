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
  type PostgresPositionsOptions,
  positionRemedies
} from './postgres-positions.ts'
export { readDecideWriteWith, type Saving } from './read-decide-write.ts'
