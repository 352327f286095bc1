import { retry } from '@orderly/retry'
import { ContractError } from '../errors.ts'

export interface RegistryAddress {
  /** Base URL of the Confluent API, for example `http://127.0.0.1:8085/apis/ccompat/v7`. */
  readonly url: string
  readonly username?: string
  readonly password?: string
}

export interface RetryOptions {
  /** Timeout of one attempt. */
  readonly timeoutMs: number
  readonly attempts: number
  /** Backoff before the second attempt; doubles with each attempt, with jitter. */
  readonly retryDelayMs: number
}

export interface RegistryResponse {
  readonly status: number
  /** Parsed body; `{}` if it is not a JSON object. */
  readonly body: Readonly<Record<string, unknown>>
}

export interface RegistryQuery {
  /** Purpose of the request, as a verb phrase that follows "cannot" in error messages. */
  readonly purpose: string
  readonly path: string
  /** HTTP method; GET by default. */
  readonly method?: 'GET' | 'POST' | 'PUT'
  readonly payload?: object
}

export type RegistryRequest = (query: RegistryQuery) => Promise<RegistryResponse>

/**
 * Creates a function that sends requests to the registry with retries; all calls of the Confluent
 * API are idempotent. Responses with 2xx, 404, 409 and 422 are returned, because they carry
 * information about schemas. Everything else throws ContractError.
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

  const policy = {
    isTransient: (error: unknown) => !(error instanceof ContractError),
    initialMs: options.retryDelayMs,
    maxMs: Number.POSITIVE_INFINITY,
    attempts: options.attempts
  }

  return async query => {
    const { purpose } = query
    const send = async () => {
      const response = await attempt(query)
      if (!isTransientStatus(response.status)) return accepted(response, baseURL, purpose)
      throw new Error(`HTTP ${response.status} ${String(response.body.message ?? '')}`.trim())
    }
    return retry(send, policy).catch(error => {
      if (error instanceof ContractError) throw error
      throw new ContractError(
        'REGISTRY_UNAVAILABLE',
        `cannot ${purpose}: the schema registry at ${baseURL} does not answer (${reasonOf(error)}); ` +
          'check that it runs and that SCHEMA_REGISTRY_URL is correct',
        { cause: error }
      )
    })
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
      ? 'check SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD, and the permissions of this user'
      : 'check that SCHEMA_REGISTRY_URL is the base URL of a Confluent-compatible API'
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

/** Returns the reason of a failed fetch, which is in `cause`. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause as { code?: unknown; message?: unknown } | undefined
  return String(cause?.code ?? cause?.message ?? error.message)
}
