import { after } from 'node:test'
import { createPool } from '@orderly/postgres'
import { integrationEnvironment } from '@orderly/stack/testing'
import { createApiKeyStore } from './key-store.ts'
import { testApiKeyStore } from './testing/api-key-store-contract.ts'

const url = await integrationEnvironment().databaseURL()
const pool = createPool({ url, maxConnections: 2, applicationName: 'callers-test', statementTimeoutMs: 10_000 })
after(() => pool.end())
const store = createApiKeyStore(pool)
await store.prepare({ info: () => {}, warn: () => {} })

testApiKeyStore('API keys in Postgres', async () => {
  await pool.query('TRUNCATE callers.callers CASCADE')
  return store
})
