/**
 * Runs `orderly migrate` in a container: migrates every schema of the database as its owner
 * (`DATABASE_OWNER_URL`).
 */
import { ConfigError, createLogger, ownerDatabaseURL } from '@orderly/service-kit'
import { migrateAll } from '../postgres/schemas.ts'

const logger = createLogger({ service: 'migrate', instance: '1', level: 'info', isPretty: false })
const stopping = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort())

try {
  await migrateAll(ownerDatabaseURL(process.env), { logger, signal: stopping.signal })
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = error instanceof ConfigError ? error.exitCode : 1
}
