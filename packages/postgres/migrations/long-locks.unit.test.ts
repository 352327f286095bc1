import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { readMigrations } from './files.ts'

/**
 * Finds statements that lock a table in use for as long as they read or index all its rows. Tables
 * that the same file creates are empty and locked anyway.
 */
function longLocks(sql: string): string[] {
  const created = new Set<string>()
  const addedNotValid = new Set<string>()
  return statementsOf(sql).flatMap(statement => {
    const createdTable = /^CREATE (?:UNLOGGED )?TABLE (\S+?) ?\(/.exec(statement)?.[1]
    if (createdTable !== undefined) created.add(createdTable)
    const index = /^CREATE (?:UNIQUE )?INDEX (CONCURRENTLY )?.*?\bON (?:ONLY )?([^\s(]+)/.exec(statement)
    if (index && !index[1] && !created.has(index[2] ?? '')) return [`${statement}: use CONCURRENTLY`]
    const [, table, actions] = /^ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(\S+) (.*)$/.exec(statement) ?? []
    if (table === undefined || actions === undefined || created.has(table)) return []
    return splitOutsideParentheses(actions, ',').flatMap(action => {
      const name = /\bCONSTRAINT (\S+)/.exec(action)?.[1] ?? ''
      if (/\bSET NOT NULL\b/.test(action)) return [`${table} ${action}: add a CHECK (… IS NOT NULL) NOT VALID`]
      if (/^VALIDATE /.test(action)) return addedNotValid.has(name) ? [`${table} ${action}: use another file`] : []
      if (!/^ADD .*\b(CONSTRAINT|CHECK|REFERENCES|UNIQUE|PRIMARY KEY|EXCLUDE)\b/.test(action)) return []
      if (/ NOT VALID$/.test(action)) addedNotValid.add(name)
      return / NOT VALID$| USING INDEX /.test(action) ? [] : [`${table} ${action}: use NOT VALID or USING INDEX`]
    })
  })
}

/**
 * Splits SQL into statements of one line each, in upper case, without comments and string literals.
 */
function statementsOf(sql: string): string[] {
  const bare = sql.replaceAll(/--.*$|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'/gm, text => (text.startsWith("'") ? "''" : ' '))
  return bare
    .split(';')
    .map(statement => statement.replaceAll(/\s+/g, ' ').trim().toUpperCase())
    .filter(statement => statement !== '')
}

function splitOutsideParentheses(text: string, separator: string): string[] {
  const parts = ['']
  let depth = 0
  for (const character of text) {
    if (character === '(') depth++
    if (character === ')') depth--
    if (character === separator && depth === 0) parts.push('')
    else parts[parts.length - 1] += character
  }
  return parts.map(part => part.trim())
}

/** Returns every directory of migrations in the packages and services. */
async function migrationDirectories(): Promise<string[]> {
  const root = join(import.meta.dirname, '../../..')
  const found = ['packages', 'services'].map(async name => {
    const entries = await readdir(join(root, name), { recursive: true })
    return entries.filter(entry => /\bmigrations[/\\]\d{4}_.*\.sql$/.test(entry)).map(entry => join(root, name, entry))
  })
  return [...new Set((await Promise.all(found)).flat().map(dirname))].filter(path => !path.includes('node_modules'))
}

test('no migration after the baseline locks a table in use for long', async () => {
  const directories = await migrationDirectories()
  assert.ok(directories.length >= 5, String(directories))
  for (const directory of directories) {
    const [, ...later] = await readMigrations(directory)
    for (const { name, sql } of later) assert.deepEqual(longLocks(sql), [], join(directory, name))
  }
})

describe('the check for long locks', () => {
  const refused = [
    'CREATE INDEX a ON s.t (b)',
    'CREATE UNIQUE INDEX IF NOT EXISTS a ON s.t (b)',
    'create index -- CONCURRENTLY\n  a on s.t (b)',
    'ALTER TABLE s.t ADD CONSTRAINT c CHECK (a > 0)',
    "ALTER TABLE s.t ADD CONSTRAINT c CHECK (a <> ' NOT VALID')",
    'ALTER TABLE s.t ADD CHECK (a IN (1, 2))',
    'ALTER TABLE ONLY s.t ADD FOREIGN KEY (a) REFERENCES s.u',
    'ALTER TABLE s.t ADD CONSTRAINT c CHECK (a > 0) NOT VALID, ADD CHECK (b > 0)',
    'ALTER TABLE s.t ADD UNIQUE (a)',
    'ALTER TABLE s.t ADD COLUMN a integer CHECK (a > 0)',
    'ALTER TABLE s.t ALTER COLUMN a SET NOT NULL',
    'CREATE TABLE s.u (a integer); ALTER TABLE s.t ALTER a SET NOT NULL',
    'ALTER TABLE s.t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE s.t VALIDATE CONSTRAINT c'
  ]
  for (const sql of refused) test(`refuses ${sql}`, () => assert.equal(longLocks(sql).length, 1))

  const accepted = [
    '-- no transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS a ON s.t (b)',
    'ALTER TABLE s.t ADD CONSTRAINT c CHECK (a IN (1, 2)) NOT VALID, ADD COLUMN b integer NOT NULL DEFAULT 0',
    'ALTER TABLE s.t ADD FOREIGN KEY (a) REFERENCES s.u NOT VALID',
    'ALTER TABLE s.t VALIDATE CONSTRAINT c',
    'ALTER TABLE s.t ADD CONSTRAINT c UNIQUE USING INDEX i',
    'ALTER TABLE s.t DROP CONSTRAINT c, ALTER COLUMN a DROP NOT NULL',
    'CREATE TABLE s.t (a integer); CREATE INDEX i ON s.t (a); ALTER TABLE s.t ADD CHECK (a > 0), ALTER a SET NOT NULL',
    '-- ALTER TABLE s.t ADD CHECK (a > 0);\n/* CREATE INDEX a ON s.t (b); */ SELECT 1'
  ]
  for (const sql of accepted) test(`accepts ${sql}`, () => assert.deepEqual(longLocks(sql), []))
})
