import { apiKeysUsage, createApiKeyStore, runApiKeys, UsageError } from '@orderly/callers'
import { createPool } from '@orderly/postgres'
import {
  ConfigError,
  databaseSettings,
  escapeControlsInLines,
  exitWhenWritten,
  maskSecrets,
  parseConfig
} from '@orderly/service-kit'
import { Type } from 'typebox'

/**
 * Creates, lists and revokes API keys in the database of `DATABASE_URL`, for example
 * `npm run api-keys -- create --name berlin --role shop`.
 */

if (process.argv.includes('--help')) {
  process.stdout.write(`${apiKeysUsage}\n`)
  await exitWhenWritten(0)
}

try {
  const config = parseConfig(Type.Object(databaseSettings('orderly_operator')), process.env)
  const pool = createPool({
    url: config.DATABASE_URL,
    maxConnections: 1,
    applicationName: 'api-keys',
    statementTimeoutMs: 10_000
  })
  try {
    const store = createApiKeyStore(pool)
    await runApiKeys(process.argv.slice(2), store, {
      out: text => process.stdout.write(`${escapeControlsInLines(text)}\n`),
      note: text => process.stderr.write(`${escapeControlsInLines(text)}\n`)
    })
  } finally {
    await pool.end()
  }
} catch (error) {
  process.stderr.write(
    `${escapeControlsInLines(maskSecrets(error instanceof Error ? error.message : String(error)))}\n`
  )
  process.exitCode = error instanceof ConfigError ? error.exitCode : error instanceof UsageError ? 64 : 1
}
