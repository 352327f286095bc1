import { checkAdvanced, type PositionAdvance } from '@orderly/kafka'
import { readDecideWrite, type Statement } from '@orderly/postgres'
import type { Pool, QueryResultRow } from 'pg'
import type { PostgresPositions } from './postgres-positions.ts'

export interface Saving {
  /** Undefined if positions are not stored, as in tests of a store alone. */
  readonly positions: Pick<PostgresPositions, 'saving'> | undefined
  readonly advances: readonly PositionAdvance[]
}

type Decide<Result> = (rows: QueryResultRow[][]) => { readonly writes: readonly Statement[]; readonly result: Result }

/**
 * Runs `readDecideWrite` and saves positions in the same transaction, in the round trip of the
 * reads.
 * @throws PositionConflictError before `decide` is called, when a position cannot be saved; nothing
 * is stored
 */
export function readDecideWriteWith<Result>(
  pool: Pool,
  { positions, advances }: Saving,
  reads: readonly Statement[],
  decide: Decide<Result>
): Promise<Result> {
  if (positions === undefined || advances.length === 0) return readDecideWrite(pool, reads, decide)
  return readDecideWrite(pool, [positions.saving(advances), ...reads], ([saved = [], ...rows]) => {
    checkAdvanced(advances, saved as PositionAdvance[])
    return decide(rows)
  })
}
