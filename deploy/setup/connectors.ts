/**
 * Installs the audit connector, then restarts its failed tasks until stopped. Runs alongside the
 * workers of Kafka Connect. With the argument `check` it only exits, with 0 if the connector and its
 * tasks run: the health check of the compose file.
 */
import { readFileSync } from 'node:fs'
import { retry } from '@orderly/retry'
import { installConnector, isConnectorRunning, keepRunning, readConnector } from '../connect/connector.ts'

const { CONNECT_URL = 'https://connect:8084', CONNECT_USERNAME = '', CONNECT_PASSWORD_FILE } = process.env
const worker = new URL(CONNECT_URL)
worker.username = CONNECT_USERNAME
worker.password = CONNECT_PASSWORD_FILE === undefined ? '' : readFileSync(CONNECT_PASSWORD_FILE, 'utf8').trim()
const workerURL = worker.href.replace(/\/$/, '')
const connector = await readConnector('audit-postgres')
if (process.argv[2] === 'check') process.exit((await isConnectorRunning(workerURL, connector.name)) ? 0 : 1)

const stopping = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort())

const install = async () => {
  await installConnector(workerURL, connector)
  process.stdout.write(`${connector.name} is installed\n`)
}
await retry(install, {
  ...{ isTransient: () => true, initialMs: 2_000, jitter: 0, signal: stopping.signal },
  onRetry: error => process.stderr.write(`${(error as Error).message}\n`)
}).catch(error => {
  if (!stopping.signal.aborted) throw error
})
await keepRunning(workerURL, connector.name, {
  signal: stopping.signal,
  onOperatorNeeded: reason =>
    process.stderr.write(
      `${JSON.stringify({ level: 'error', event: 'audit_operator_needed', connector: connector.name, msg: reason })}\n`
    )
})
