import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { createPool } from '@orderly/postgres'
import { createApiKeyStore } from './key-store.ts'
import { testApiKeyStore } from './testing/api-key-store-contract.ts'

const url = await integrationEnvironment().databaseURL()
const pool = createPool({ url, maxConnections: 2, applicationName: 'callers-test', statementTimeoutMs: 10_000 })
after(() => pool.end())
const store = createApiKeyStore(pool)

testApiKeyStore('API keys in Postgres', async () => {
  await pool.query('TRUNCATE callers.callers CASCADE')
  return store
})

test('names that the command refuses cannot be inserted with SQL either', async () => {
  for (const name of ['', 'Berlin', 'ber\u001flin', 'x'.repeat(65)]) {
    const insert = pool.query("INSERT INTO callers.callers (name, role) VALUES ($1, 'shop')", [name])
    await assert.rejects(insert, { code: '23514' }, JSON.stringify(name))
  }
})
