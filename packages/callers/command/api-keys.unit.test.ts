import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseCommandLine, UsageError } from '@orderly/command-line'
import { hashOf, isApiKey } from '../keys/api-key.ts'
import { createMemoryApiKeyStore } from '../testing/memory-api-keys.ts'
import { apiKeysCommandLine, runApiKeys } from './api-keys.ts'

function setUp() {
  const store = createMemoryApiKeyStore()
  const run = async (line: string) => {
    const printed: string[] = []
    const given = parseCommandLine(apiKeysCommandLine, line.split(' '))
    await runApiKeys(given, store, { out: text => printed.push(text), note: () => {} })
    return printed
  }
  return { store, run }
}

test('a new key is printed once, and only its hash is stored', async () => {
  const { store, run } = setUp()
  const [key = '', ...rest] = await run('create --name berlin --role shop --requests-per-minute 60 --expires-days 1')
  assert.ok(isApiKey(key) && rest.length === 0)
  const [stored] = await store.all()
  assert.ok(!JSON.stringify(stored).includes(key.slice(-43)))
  assert.deepEqual([stored?.hash, stored?.name, stored?.requestsPerMinute], [hashOf(key), 'berlin', 60])
  const [, line] = await run('list')
  assert.match(line ?? '', /^[0-9a-f]{12}\tberlin\tshop\t60\t\S+\tvalid until \S+$/)
})

test('revoke by id revokes one key, revoke by name all keys of the caller', async () => {
  const { store, run } = setUp()
  for (const _ of [1, 2, 3]) await run('create --name berlin --role shop')
  const [first] = await store.valid()
  assert.deepEqual(await run(`revoke --id ${first?.id}`), [first?.id])
  assert.equal((await store.valid()).length, 2)
  assert.equal((await run('revoke --name berlin')).length, 2)
  assert.deepEqual(await store.valid(), [])
  await assert.rejects(run('revoke --name berlin'), UsageError)
})

test('invalid arguments are refused with the expected form', async () => {
  const { run } = setUp()
  await run('create --name berlin --role shop')
  for (const [line, message] of [
    ['paint', /^Unknown command 'paint'\. npm run api-keys -- --help shows the usage\.$/],
    ['lst', /^Unknown command 'lst'\. \(Did you mean list\?\)/],
    ['create --name Berlin --role shop', /--name must consist of/],
    ['create --name anyone --role shop', /--name must .* not be anyone/],
    ['create --name paris --role admin', /--role must be one of shop, viewer, support, operator/],
    ['create --name berlin --role operator', /berlin exists with the role shop/],
    [
      'create --name paris --role shop --requests-per-minute 0',
      /--requests-per-minute is "0": give a whole number from 1/
    ],
    ['create --name paris --role shop --colour red', /^Unknown option '--colour'\. npm run api-keys -- create --help/],
    ['revoke', /either --id or --name/]
  ] as const) {
    await assert.rejects(run(line), { message }, line)
  }
})

test('the first keys are created once, in files that only the owner can read', async t => {
  const { store, run } = setUp()
  const directory = mkdtempSync(join(tmpdir(), 'orderly-keys-'))
  t.after(() => rmSync(directory, { recursive: true }))
  // The file of a run that ended before it stored the key.
  writeFileSync(join(directory, 'operator.key'), 'never stored', { mode: 0o400 })
  assert.deepEqual(await run(`first --directory ${directory}`), [])
  const keys = ['operator', 'shop'].map(name => readFileSync(join(directory, `${name}.key`), 'utf8').trim())
  const stored = await store.all()
  assert.deepEqual(
    stored
      .map(({ hash, name, role }) => [hash, name, role])
      .toSorted((a, b) => String(a[1]).localeCompare(String(b[1]))),
    [
      [hashOf(keys[0] as string), 'operator', 'operator'],
      [hashOf(keys[1] as string), 'shop', 'shop']
    ]
  )
  assert.equal(statSync(join(directory, 'shop.key')).mode & 0o777, 0o400)
  await run('revoke --name shop')
  await run(`first --directory ${directory}`)
  assert.equal((await store.all()).length, 2, 'a revoked key is not replaced')
  await assert.rejects(run('first'), /--directory/)
})
