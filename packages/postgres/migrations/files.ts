import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PostgresError } from '../errors.ts'

export interface MigrationFile {
  readonly number: number
  readonly name: string
  readonly sql: string
  readonly checksum: string
  /** False if the first line is `-- no transaction`; the file then contains one statement. */
  readonly isTransactional: boolean
}

export interface AppliedMigration {
  readonly number: number
  readonly name: string
  readonly checksum: string
}

/**
 * Reads the files `0001_what-it-does.sql`, `0002_…`, which must be numbered without gaps and
 * repetitions.
 */
export async function readMigrations(directory: string): Promise<MigrationFile[]> {
  const names = (await readdir(directory)).filter(name => name.endsWith('.sql')).sort()
  if (names.length === 0) throw invalid(`no .sql files in ${directory}`)
  return Promise.all(
    names.map(async (name, index) => {
      const number = Number(/^(\d{4})_[a-z0-9-]+\.sql$/.exec(name)?.[1])
      if (Number.isNaN(number)) throw invalid(`${name} is not named like 0001_what-it-does.sql`)
      if (number !== index + 1) throw invalid(`expected number ${index + 1} of ${directory}, found ${name}`)
      const sql = await readFile(join(directory, name), 'utf8')
      const isTransactional = !/^-- no transaction\r?\n/.test(sql)
      if (!isTransactional) checkRepeatable(name, sql)
      return { number, name, sql, checksum: checksum(sql), isTransactional }
    })
  )
}

/**
 * Checks that a file that runs outside a transaction is repeatable: an interrupted run can leave it
 * executed but not recorded, or partly executed. It must be a single statement, because Postgres
 * runs several statements sent together in one transaction.
 */
function checkRepeatable(name: string, sql: string): void {
  const statements = sql
    .replaceAll(/--.*$/gm, '')
    .split(';')
    .filter(text => text.trim() !== '')
  if (statements.length !== 1) {
    throw invalid(
      `${name} is marked \`-- no transaction\` and contains ${statements.length} statements: write one per file`
    )
  }
  if (!/\bIF (NOT )?EXISTS\b|\bVALIDATE CONSTRAINT\b/i.test(sql)) {
    throw invalid(`${name} is marked \`-- no transaction\` and cannot run twice: add IF NOT EXISTS or IF EXISTS`)
  }
}

/**
 * Returns the files that have not run yet. A file that was changed after it ran is an error, and so
 * is a file that was skipped. Migrations newer than all files are accepted, because during a
 * rollout an older version of the program runs next to a newer one.
 */
export function pendingMigrations(
  files: readonly MigrationFile[],
  applied: readonly AppliedMigration[]
): { pending: readonly MigrationFile[]; unknown: readonly AppliedMigration[] } {
  const appliedByNumber = new Map(applied.map(migration => [migration.number, migration]))
  for (const file of files) {
    const before = appliedByNumber.get(file.number)
    if (before && before.checksum !== file.checksum) {
      throw new PostgresError(
        'MIGRATION_CHANGED',
        `${file.name} differs from ${before.name}, which this database ran: restore the file and write the change as a new file, or delete local data with \`npm run reset\``
      )
    }
  }
  const last = Math.max(0, ...appliedByNumber.keys())
  const skipped = files.find(file => file.number < last && !appliedByNumber.has(file.number))
  if (skipped) throw invalid(`${skipped.name} never ran, but the later migration ${last} did`)
  return {
    pending: files.filter(file => file.number > last),
    unknown: applied.filter(migration => migration.number > files.length)
  }
}

// Line endings are ignored, because git may change them on checkout.
function checksum(sql: string): string {
  return createHash('sha256').update(sql.replaceAll('\r\n', '\n')).digest('hex')
}

function invalid(message: string): PostgresError {
  return new PostgresError('MIGRATIONS_INVALID', `migrations: ${message}`)
}
