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
  const given = parseCommandLine(apiKeysCommandLine, process.argv.slice(2))
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
