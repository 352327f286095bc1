import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { pendingMigrations, readMigrations } from './files.ts'

async function directoryWith(t: TestContext, files: Record<string, string>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'migrations-'))
  t.after(() => rm(directory, { recursive: true }))
  for (const [name, sql] of Object.entries(files)) await writeFile(join(directory, name), sql)
  return directory
}

test('files are read in the order of their numbers', async t => {
  const directory = await directoryWith(t, { '0002_b.sql': 'b', '0001_a.sql': 'a', 'README.md': 'no migration' })
  assert.deepEqual(
    (await readMigrations(directory)).map(({ number, name, sql }) => ({ number, name, sql })),
    [
      { number: 1, name: '0001_a.sql', sql: 'a' },
      { number: 2, name: '0002_b.sql', sql: 'b' }
    ]
  )
})

test('wrong names, gaps, numbers used twice and an empty directory are refused', async t => {
  const refused = async (names: string[], message: RegExp) => {
    const directory = await directoryWith(t, Object.fromEntries(names.map(name => [name, ''])))
    await assert.rejects(readMigrations(directory), { code: 'MIGRATIONS_INVALID', message })
  }
  await refused(['1_a.sql'], /1_a\.sql is not named like/)
  await refused(['0001_a.sql', '0003_c.sql'], /expected number 2 .*found 0003_c\.sql/)
  await refused(['0001_a.sql', '0001_b.sql'], /expected number 2 .*found 0001_b\.sql/)
  await refused([], /no \.sql files/)
})

test('a file without a transaction must be one repeatable statement', async t => {
  const read = async (sql: string) => (await readMigrations(await directoryWith(t, { '0001_a.sql': sql })))[0]
  const index = 'CREATE INDEX CONCURRENTLY IF NOT EXISTS a ON b (c); -- why'
  assert.equal((await read(index))?.isTransactional, true)
  assert.equal((await read(`-- no transaction\n-- why\n${index}`))?.isTransactional, false)
  const refused = (sql: string, message: RegExp) =>
    assert.rejects(read(`-- no transaction\n${sql}`), { code: 'MIGRATIONS_INVALID', message })
  await refused(`${index}\nSELECT 1`, /0001_a\.sql .*contains 2 statements/)
  await refused('CREATE INDEX CONCURRENTLY a ON b (c)', /0001_a\.sql .*add IF NOT EXISTS/)
})

test('the checksum ignores line endings only', async t => {
  const sums = async (sql: string) => (await readMigrations(await directoryWith(t, { '0001_a.sql': sql })))[0]?.checksum
  assert.equal(await sums('a\r\nb\r\n'), await sums('a\nb\n'))
  assert.notEqual(await sums('a\nb\n'), await sums('a\nc\n'))
})

const file = (number: number, checksum = 'same') => {
  return { number, name: `000${number}_x.sql`, sql: '', checksum, isTransactional: true }
}

test('files that ran are not pending', () => {
  assert.deepEqual(pendingMigrations([file(1), file(2)], [file(1)]).pending, [file(2)])
  assert.deepEqual(pendingMigrations([file(1)], [file(1)]).pending, [])
})

test('a file that changed after it ran is refused by name', () => {
  assert.throws(() => pendingMigrations([file(1, 'changed')], [file(1)]), {
    code: 'MIGRATION_CHANGED',
    message: /^0001_x\.sql differs .*`npm run reset`/
  })
})

test('a file that was skipped is refused', () => {
  assert.throws(() => pendingMigrations([file(1), file(2)], [file(2)]), {
    code: 'MIGRATIONS_INVALID',
    message: /0001_x\.sql never ran/
  })
})

test('a database newer than the program is accepted, and its unknown migrations are returned', () => {
  assert.deepEqual(pendingMigrations([file(1)], [file(1), file(2)]), { pending: [], unknown: [file(2)] })
})

test('the migrations of every service are numbered without gaps and repetitions', async () => {
  const services = join(import.meta.dirname, '../../../services')
  for (const service of await readdir(services)) {
    const directory = join(services, service, 'store/migrations')
    if (!existsSync(directory)) continue
    const numbers = (await readMigrations(directory)).map(({ number }) => number)
    assert.deepEqual(
      numbers,
      [...numbers.keys()].map(index => index + 1)
    )
  }
})
