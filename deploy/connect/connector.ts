import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** Where the connector puts what is no event. */
export const auditDeadLetterTopic = 'audit.dlq'

/** A file of `deploy/connect`. */
export interface Connector {
  readonly name: string
  readonly config: Readonly<Record<string, string>>
}

export interface ConnectorState {
  readonly connector: { readonly state: string }
  readonly tasks: readonly { readonly id: number; readonly state: string; readonly trace?: string }[]
}

const requestTimeoutMs = 10_000
const watchIntervalMs = 1_000
const longestPauseMs = 10_000

export async function readConnector(name: string): Promise<Connector> {
  const file = join(import.meta.dirname, `${name}.json`)
  return JSON.parse(await readFile(file, 'utf8')) as Connector
}

/** Creates the connector or changes its settings; the same settings again do nothing. */
export async function installConnector(workerURL: string, { name, config }: Connector): Promise<void> {
  await request(workerURL, `/connectors/${name}/config`, { method: 'PUT', body: JSON.stringify(config) })
}

export async function stateOf(workerURL: string, name: string): Promise<ConnectorState> {
  return (await request(workerURL, `/connectors/${name}/status`)) as ConnectorState
}

/**
 * Starts again what has failed, until told to stop: a task whose database was away for longer than it tries ends, and Connect leaves
 * it so. What it had not written yet is read again, and written over what is there already. One that fails again and again is
 * started less and less often: each time it writes pages into the log.
 */
export async function keepRunning(workerURL: string, name: string, signal: AbortSignal): Promise<void> {
  let pauseMs = watchIntervalMs
  while (!signal.aborted) {
    try {
      const { connector, tasks } = await stateOf(workerURL, name)
      const hasFailed = [connector, ...tasks].some(({ state }) => state === 'FAILED')
      pauseMs = hasFailed ? Math.min(2 * pauseMs, longestPauseMs) : watchIntervalMs
      if (hasFailed) {
        await request(workerURL, `/connectors/${name}/restart?includeTasks=true&onlyFailed=true`, { method: 'POST' })
      }
    } catch {
      // The worker is away or at work on another change; the next look will tell.
    }
    await delay(pauseMs, undefined, { signal }).catch(() => {})
  }
}

async function request(workerURL: string, path: string, init: RequestInit = {}): Promise<unknown> {
  const response = await fetch(`${workerURL}${path}`, {
    ...init,
    headers: { 'content-type': 'application/json' },
    signal: AbortSignal.timeout(requestTimeoutMs)
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`Kafka Connect answered ${response.status} to ${path}: ${text.slice(0, 1_000)}`)
  return text === '' ? undefined : JSON.parse(text)
}
