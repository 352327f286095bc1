import { splitCredentials } from '@orderly/service-kit'
import { operatorNeeded } from '../../deploy/connect/connector.ts'
import type { Connections, OptionalServer } from '../connections/connections.ts'

/** A connector of Kafka Connect, with its tasks. */
export interface Connector {
  readonly name: string
  readonly state: string
  /** Reason why only an operator can let it continue; undefined for other failures. */
  readonly operatorNeeded?: string | undefined
  /** The first line of the stack trace of a connector that failed. */
  readonly trace?: string | undefined
  readonly tasks: readonly { readonly id: number; readonly state: string; readonly trace?: string | undefined }[]
}

/** A firing alert in Prometheus. */
export interface Alert {
  readonly name: string
  readonly severity: string
  readonly summary: string
  readonly runbook: string | undefined
  readonly sinceMs: number
}

/** The answer of a server that a deployment may lack. */
export type Optional<Answer> =
  | { readonly kind: 'answered'; readonly answer: Answer }
  /** The address of the server was set, and it does not answer correctly. */
  | { readonly kind: 'failed'; readonly failure: string }
  /**
   * The address of the server was not set, and nothing answers at the launcher's default address.
   */
  | { readonly kind: 'absent' }

const patienceMs = 5_000

export function askConnect(connections: Connections): Promise<Optional<readonly Connector[]>> {
  return ask(connections, 'CONNECT_URL', '/connectors?expand=status', body =>
    Object.entries(objectOf(body)).map(([name, connector]) => {
      const status = objectOf(objectOf(connector).status)
      const { state, trace } = objectOf(status.connector)
      const tasks = arrayOf(status.tasks).map(objectOf)
      return {
        ...{ name, state: String(state), trace: firstLine(trace) },
        operatorNeeded: operatorNeeded({
          tasks: tasks.map(({ state, trace }) => ({ state: String(state), trace: textOf(trace) }))
        }),
        tasks: tasks.map(task => ({ id: Number(task.id), state: String(task.state), trace: firstLine(task.trace) }))
      }
    })
  )
}

export function askAlerts(connections: Connections): Promise<Optional<readonly Alert[]>> {
  return ask(connections, 'PROMETHEUS_URL', '/api/v1/alerts', body =>
    arrayOf(objectOf(objectOf(body).data).alerts)
      .map(objectOf)
      // An alert with the severity `none`, the watchdog, always fires.
      .filter(({ state, labels }) => state === 'firing' && objectOf(labels).severity !== 'none')
      .map(({ labels, annotations, activeAt }) => {
        const { alertname, severity } = objectOf(labels)
        const { summary, runbook } = objectOf(annotations)
        return {
          ...{ name: String(alertname), severity: String(severity), summary: String(summary ?? alertname) },
          runbook: runbook === undefined ? undefined : String(runbook),
          sinceMs: Date.parse(String(activeAt))
        }
      })
  )
}

async function ask<Answer>(
  connections: Connections,
  setting: OptionalServer,
  path: string,
  read: (body: unknown) => Answer
): Promise<Optional<Answer>> {
  const server = connections.optional(setting)
  if (server === undefined) return { kind: 'absent' }
  try {
    return { kind: 'answered', answer: read(await fetchJSON(`${server.url}${path}`)) }
  } catch (error) {
    return server.isGiven ? { kind: 'failed', failure: (error as Error).message } : { kind: 'absent' }
  }
}

/** Fetches JSON. @throws Error whose message omits the user and password of the URL */
async function fetchJSON(address: string): Promise<unknown> {
  const { url, headers } = splitCredentials(address)
  let response: Response
  try {
    response = await fetch(url, { headers, signal: AbortSignal.timeout(patienceMs) })
  } catch (error) {
    const { cause, message } = error as Error
    throw new Error(`${url.origin}: ${cause instanceof Error ? cause.message : message}`)
  }
  if (!response.ok) throw new Error(`${url.origin} answered ${response.status}`)
  return response.json().catch(() => {
    throw new Error(`${url.origin} did not answer with JSON`)
  })
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new Error('unexpected response')
  return value as Record<string, unknown>
}

function arrayOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('unexpected response')
  return value
}

const textOf = (trace: unknown): string => (typeof trace === 'string' ? trace : '')

function firstLine(trace: unknown): string | undefined {
  return typeof trace === 'string' ? trace.split('\n')[0] : undefined
}
