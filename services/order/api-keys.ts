import { apiKeysCommandLine, createApiKeyStore, runApiKeys } from '@orderly/callers'
import { HelpRequest, parseCommandLine, UsageError } from '@orderly/command-line'
import { createPool } from '@orderly/postgres'
import { ConfigError, databaseSettings, escapeControlsInLines, maskSecrets, parseConfig } from '@orderly/service-kit'
import { Type } from 'typebox'

/**
 * Creates, lists and revokes API keys in the database of `DATABASE_URL`, for example
 * `npm run api-keys -- create --name berlin --role shop`.
 */

try {
  const words = process.argv.slice(2)
  // A job that loses its arguments must not succeed.
  if (words.length === 0) throw new UsageError('No command given: see `npm run api-keys -- --help`.')
  const given = parseCommandLine(apiKeysCommandLine, words)
  const config = parseConfig(Type.Object(databaseSettings('orderly_operator')), process.env)
  const pool = createPool({
    url: config.DATABASE_URL,
    maxConnections: 1,
    applicationName: 'api-keys',
    statementTimeoutMs: 10_000
  })
  try {
    const store = createApiKeyStore(pool)
    await runApiKeys(given, store, {
      out: text => process.stdout.write(`${escapeControlsInLines(text)}\n`),
      note: text => process.stderr.write(`${escapeControlsInLines(text)}\n`)
    })
  } finally {
    await pool.end()
  }
} catch (error) {
  const stream = error instanceof HelpRequest ? process.stdout : process.stderr
  stream.write(`${escapeControlsInLines(maskSecrets(error instanceof Error ? error.message : String(error)))}\n`)
  const isExpected = error instanceof ConfigError || error instanceof UsageError || error instanceof HelpRequest
  process.exitCode = isExpected ? error.exitCode : 1
}
