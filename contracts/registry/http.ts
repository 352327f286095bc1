import { setTimeout as delay } from 'node:timers/promises'
import { ContractError } from '../errors.ts'

export interface RegistryAddress {
  /** Where the Confluent API begins, for example `http://127.0.0.1:8085/apis/ccompat/v7`. */
  readonly url: string
  readonly username?: string
  readonly password?: string
}

export interface RetryOptions {
  /** How long one attempt may take. */
  readonly timeoutMs: number
  readonly attempts: number
  /** Before the second attempt; doubles from one to the next, with jitter. */
  readonly retryDelayMs: number
}

export interface RegistryResponse {
  readonly status: number
  /** `{}` when the body is no JSON object. */
  readonly body: Readonly<Record<string, unknown>>
}

export interface RegistryQuery {
  /** What it is for, as it goes on after "cannot". */
  readonly purpose: string
  readonly path: string
  /** GET unless there is something to send. */
  readonly method?: 'GET' | 'POST' | 'PUT'
  readonly payload?: object
}

export type RegistryRequest = (query: RegistryQuery) => Promise<RegistryResponse>

/**
 * Every call to the Confluent API is safe to repeat.
 * Answers 2xx, 404, 409 and 422 are returned, since they say something about schemas; all else throws ContractError.
 */
export function createRegistryRequest(address: RegistryAddress, options: RetryOptions): RegistryRequest {
  const { baseURL, headers } = parseAddress(address)

  async function attempt({ path, method = 'GET', payload }: RegistryQuery): Promise<RegistryResponse> {
    const response = await fetch(baseURL + path, {
      method,
      headers,
      signal: AbortSignal.timeout(options.timeoutMs),
      ...(payload === undefined ? {} : { body: JSON.stringify(payload) })
    })
    return { status: response.status, body: parseObject(await response.text()) }
  }

  return async query => {
    const { purpose } = query
    let failure: unknown
    for (let attemptNumber = 1; attemptNumber <= options.attempts; attemptNumber++) {
      try {
        const response = await attempt(query)
        if (!isTransientStatus(response.status)) return accepted(response, baseURL, purpose)
        failure = new Error(`HTTP ${response.status} ${String(response.body.message ?? '')}`.trim())
      } catch (error) {
        if (error instanceof ContractError) throw error
        failure = error
      }
      if (attemptNumber < options.attempts) {
        await delay(options.retryDelayMs * 2 ** (attemptNumber - 1) * (0.5 + Math.random()))
      }
    }
    throw new ContractError(
      'REGISTRY_UNAVAILABLE',
      `cannot ${purpose}: the schema registry at ${baseURL} does not answer (${reasonOf(failure)}); ` +
        'see that it runs and that SCHEMA_REGISTRY_URL is right',
      { cause: failure }
    )
  }
}

function parseAddress({ url, username, password }: RegistryAddress): { baseURL: string; headers: Headers } {
  const headers = new Headers({
    accept: 'application/vnd.schemaregistry.v1+json',
    'content-type': 'application/vnd.schemaregistry.v1+json'
  })
  if (username !== undefined) {
    headers.set('authorization', `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}`)
  }
  return { baseURL: url.replace(/\/+$/, ''), headers }
}

function accepted(response: RegistryResponse, baseURL: string, purpose: string): RegistryResponse {
  const { status, body } = response
  if ((status >= 200 && status < 300) || status === 404 || status === 409 || status === 422) return response
  const advice =
    status === 401 || status === 403
      ? 'see SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD, and what that user may do'
      : 'see that SCHEMA_REGISTRY_URL is the base of a Confluent-compatible API'
  throw new ContractError(
    'REGISTRY_REFUSED',
    `cannot ${purpose}: the schema registry at ${baseURL} answered HTTP ${status} ${String(body.message ?? '')}; ${advice}`
  )
}

function isTransientStatus(status: number): boolean {
  return status >= 500 || status === 408 || status === 429
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** fetch keeps what went wrong in `cause`. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause as { code?: unknown; message?: unknown } | undefined
  return String(cause?.code ?? cause?.message ?? error.message)
}
