import { checkAdvanced, type PositionAdvance } from '@orderly/kafka'
import { type Decision, type Reads, type RowsOf, readDecideWrite } from '@orderly/postgres'
import type { Pool } from 'pg'
import type { PostgresPositions } from './postgres-positions.ts'

export interface Saving {
  /** Undefined if positions are not stored, as in tests of a store alone. */
  readonly positions: Pick<PostgresPositions, 'saving'> | undefined
  readonly advances: readonly PositionAdvance[]
}

/**
 * Runs `readDecideWrite` and saves positions in the same transaction, in the round trip of the
 * reads.
 * @throws PositionConflictError before `decide` is called, when a position cannot be saved; nothing
 * is stored
 */
export function readDecideWriteWith<const Statements extends Reads, Result>(
  pool: Pool,
  { positions, advances }: Saving,
  reads: Statements,
  decide: (rows: RowsOf<Statements>) => Decision<Result>
): Promise<Result> {
  if (positions === undefined || advances.length === 0) return readDecideWrite(pool, reads, decide)
  return readDecideWrite(pool, [positions.saving(advances), ...reads], ([saved, ...rows]) => {
    checkAdvanced(advances, saved)
    return decide(rows as RowsOf<Statements>)
  })
}
