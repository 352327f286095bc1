import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PostgresError } from '../errors.ts'

export interface MigrationFile {
  readonly number: number
  readonly name: string
  readonly sql: string
  readonly checksum: string
  /** False where the first line is `-- no transaction`: then the file holds one statement. */
  readonly isTransactional: boolean
}

export interface AppliedMigration {
  readonly number: number
  readonly name: string
  readonly checksum: string
}

/** Reads `0001_what-it-does.sql`, `0002_…`; every number once, none left out. */
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
 * Checks that a step outside a transaction may run again: an interrupted run leaves the step done and not recorded, or
 * half done. Several statements that are sent together would be one transaction.
 */
function checkRepeatable(name: string, sql: string): void {
  const statements = sql
    .replaceAll(/--.*$/gm, '')
    .split(';')
    .filter(text => text.trim() !== '')
  if (statements.length !== 1) {
    throw invalid(
      `${name} is marked \`-- no transaction\` and holds ${statements.length} statements: write one per file`
    )
  }
  if (!/\bIF (NOT )?EXISTS\b|\bVALIDATE CONSTRAINT\b/i.test(sql)) {
    throw invalid(`${name} is marked \`-- no transaction\` and cannot run twice: add IF NOT EXISTS or IF EXISTS`)
  }
}

/**
 * Returns the files that are still to run. A file that was changed or removed after it ran is an error; migrations newer
 * than all files are not: an older version of the program may run beside a newer one while it is rolled out.
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
        `${file.name} differs from ${before.name}, which this database ran; restore it and write the change as a new file`
      )
    }
  }
  const last = Math.max(0, ...appliedByNumber.keys())
  const skipped = files.find(file => file.number < last && !appliedByNumber.has(file.number))
  if (skipped) throw invalid(`${skipped.name} never ran, but the later number ${last} did`)
  return {
    pending: files.filter(file => file.number > last),
    unknown: applied.filter(migration => migration.number > files.length)
  }
}

// Line ends are not content: git may change them on checkout.
function checksum(sql: string): string {
  return createHash('sha256').update(sql.replaceAll('\r\n', '\n')).digest('hex')
}

function invalid(message: string): PostgresError {
  return new PostgresError('MIGRATIONS_INVALID', `migrations: ${message}`)
}
