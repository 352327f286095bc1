import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { splitCredentials } from '@orderly/service-kit'

/** The dead-letter topic of the connector. */
export const auditDeadLetterTopic = 'audit.dlq'

/** Groups of the audit connector and of the worker. */
export const connectGroups = ['connect-audit', 'orderly-connect']

/** A connector file in `deploy/connect`. */
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

/**
 * Creates the connector or changes its settings. Equal settings change nothing.
 * @param workerURL base of the worker's REST API, with user and password where the worker asks for
 * them; likewise below
 */
export async function installConnector(workerURL: string, { name, config }: Connector): Promise<void> {
  await request(workerURL, `/connectors/${name}/config`, { method: 'PUT', body: JSON.stringify(config) })
}

export async function stateOf(workerURL: string, name: string): Promise<ConnectorState> {
  return (await request(workerURL, `/connectors/${name}/status`)) as ConnectorState
}

/** Returns true if the connector runs and has tasks, all of which run. */
export async function isConnectorRunning(workerURL: string, name: string): Promise<boolean> {
  const { connector, tasks } = await stateOf(workerURL, name)
  return tasks.length > 0 && [connector, ...tasks].every(({ state }) => state === 'RUNNING')
}

/**
 * Returns the first line of the failure (`OperatorNeeded`) that only an operator can resolve.
 * Returns undefined for any other failure.
 */
export function operatorNeeded({
  tasks
}: {
  readonly tasks: readonly Pick<ConnectorState['tasks'][number], 'state' | 'trace'>[]
}): string | undefined {
  const traces = tasks.filter(({ state }) => state === 'FAILED').map(({ trace = '' }) => trace)
  return traces.map(trace => /com\.orderly\.connect\.OperatorNeeded: (.*)/.exec(trace)?.[1]).find(Boolean)
}

/**
 * Restarts failed tasks until aborted, because Connect does not. A restarted task continues from
 * its committed offsets. The pause between restarts doubles up to a limit, because each failure
 * fills pages of the log. A task that needs an operator is not restarted; `onOperatorNeeded` is
 * called once for each new reason.
 */
export async function keepRunning(
  workerURL: string,
  name: string,
  { signal, onOperatorNeeded = () => {} }: KeepRunningOptions
): Promise<void> {
  let pauseMs = watchIntervalMs
  let reported: string | undefined
  while (!signal.aborted) {
    try {
      const state = await stateOf(workerURL, name)
      const hasFailed = [state.connector, ...state.tasks].some(part => part.state === 'FAILED')
      const reason = operatorNeeded(state)
      if (reason !== undefined && reason !== reported) onOperatorNeeded(reason)
      reported = reason
      pauseMs = hasFailed ? Math.min(2 * pauseMs, longestPauseMs) : watchIntervalMs
      if (hasFailed && reason === undefined) await restartFailed(workerURL, name)
    } catch {
      // The worker is unavailable or is applying another change. The next round tries again.
    }
    await delay(pauseMs, undefined, { signal }).catch(() => {})
  }
}

export interface KeepRunningOptions {
  readonly signal: AbortSignal
  readonly onOperatorNeeded?: (reason: string) => void
}

const restartFailed = (workerURL: string, name: string) => restartConnector(workerURL, name, { onlyFailed: true })

/** Lets a paused or stopped connector continue. */
export async function resumeConnector(workerURL: string, name: string): Promise<void> {
  await request(workerURL, `/connectors/${name}/resume`, { method: 'PUT' })
}

/** Restarts the connector and its tasks, all or those that failed. */
export async function restartConnector(
  workerURL: string,
  name: string,
  { onlyFailed = false }: { readonly onlyFailed?: boolean } = {}
): Promise<void> {
  await request(workerURL, `/connectors/${name}/restart?includeTasks=true&onlyFailed=${onlyFailed}`, { method: 'POST' })
}

const acceptedSetting = 'accepted.topic.ids'

/**
 * Accepts the id of a recreated topic; the sink continues with the topic's next generation.
 * @param entry the topic and its id, as `orders.created:<id>`
 */
export async function acceptTopicID(workerURL: string, name: string, entry: string): Promise<void> {
  const config = (await request(workerURL, `/connectors/${name}/config`)) as Connector['config']
  const accepted = new Set((config[acceptedSetting] ?? '').split(',').filter(Boolean))
  const changed = { ...config, [acceptedSetting]: [...accepted.add(entry)].join(',') }
  await installConnector(workerURL, { name, config: changed })
  await restartFailed(workerURL, name)
}

async function request(workerURL: string, path: string, init: RequestInit = {}): Promise<unknown> {
  const { url, headers } = splitCredentials(`${workerURL}${path}`)
  const response = await fetch(url, {
    ...init,
    headers: { 'content-type': 'application/json', ...headers },
    signal: AbortSignal.timeout(requestTimeoutMs)
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`Kafka Connect answered ${response.status} to ${path}: ${text.slice(0, 1_000)}`)
  return text === '' ? undefined : JSON.parse(text)
}
