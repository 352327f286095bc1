import { setTimeout as delay } from 'node:timers/promises'
import { type Connection, ConnectionStatuses, type SASLCustomAuthenticator } from '@platformatic/kafka'
import type { TokenLogin } from '../connection.ts'
import { KafkaError } from '../errors.ts'

/** Time to connect including the login; the client library closes slower connections. */
export const tokenConnectTimeoutMs = 10_000
const tokenTimeoutMs = 8_000
/** Share of a session's lifetime after which its connection is replaced. */
const usableShare = 0.8
const longestTimerMs = 2 ** 31 - 1

/**
 * Logs connections in with bearer tokens, and replaces each before its session ends.
 *
 * Brokers report how long a session lasts: as long as the token is valid, and at most
 * `connections.max.reauth.ms`. The client library logs in again on the same connection (KIP-368).
 * Requests of callers that hold the connection can then get between the messages of the login, and
 * the broker answers by closing the connection. Its timer also outlives a connection that the
 * broker has closed, and keeps the process alive. Both do not happen here: the pool drops the
 * connection, so that the next request opens another one, and it is closed when the requests that
 * were in flight have ended.
 */
export class TokenSessions {
  readonly #login: TokenLogin
  readonly #requestTimeoutMs: number
  readonly #retired = new Set<Connection>()

  /** @param requestTimeoutMs time after which no request is in flight on a dropped connection */
  constructor(login: TokenLogin, requestTimeoutMs: number) {
    this.#login = login
    this.#requestTimeoutMs = requestTimeoutMs
  }

  /** Logs in a new connection; called by the client library. */
  readonly authenticate: SASLCustomAuthenticator = (
    _mechanism,
    connection,
    authenticate,
    _name,
    _password,
    _,
    done
  ) => {
    // A connection that was closed while its token was requested has no one to report to any more.
    const isWaiting = () => connection.status === ConnectionStatuses.AUTHENTICATING
    const logIn = (token: string) => {
      if (!isWaiting()) return
      authenticate(connection, firstMessage(token, this.#login.extensions), (error, response) => {
        const failure = error ?? refusalIn(response?.authBytes)
        if (failure !== undefined || response === undefined) return done(failure ?? noResponse)
        this.#expire(connection, Number(response.sessionLifetimeMs))
        // Without a lifetime the client library does not log in again.
        done(null, { ...response, sessionLifetimeMs: 0n })
      })
    }
    requestToken(this.#login).then(logIn, error => {
      if (isWaiting()) done(error)
    })
  }

  /** Closes the connections that the pool has dropped. */
  close(): void {
    for (const connection of this.#retired) connection.socket?.destroy()
    this.#retired.clear()
  }

  #expire(connection: Connection, lifetimeMs: number): void {
    if (!(lifetimeMs > 0)) return
    const timer = setTimeout(() => this.#retire(connection), Math.min(lifetimeMs * usableShare, longestTimerMs))
    timer.unref()
    connection.once('close', () => clearTimeout(timer))
  }

  #retire(connection: Connection): void {
    if (!connection.isConnected()) return
    connection.emit('close') // makes the pool drop the connection, which stays usable
    connection.removeAllListeners('error') // of the pool, which by now may have another connection
    connection.on('error', () => {})
    this.#retired.add(connection)
    const timer = setTimeout(() => {
      this.#retired.delete(connection)
      connection.socket?.destroy()
    }, this.#requestTimeoutMs)
    timer.unref()
  }
}

/** Returns a token of the provider. @throws KafkaError `TOKEN_UNAVAILABLE` */
async function requestToken({ token }: TokenLogin): Promise<string> {
  const timeout = new AbortController()
  const late = delay(tokenTimeoutMs, undefined, { signal: timeout.signal, ref: false }).then(() => {
    throw unavailable(`it returned nothing within ${tokenTimeoutMs} ms`)
  })
  late.catch(() => {}) // aborted when the token arrives
  let value: unknown
  try {
    value = await Promise.race([Promise.resolve().then(token), late])
  } catch (error) {
    throw error instanceof KafkaError ? error : unavailable(error instanceof Error ? error.message : 'it failed', error)
  } finally {
    timeout.abort()
  }
  if (typeof value !== 'string' || !/^[!-~]+$/.test(value)) throw unavailable('what it returned is not a token')
  return value
}

const noResponse = new KafkaError('BROKER_UNAVAILABLE', 'the broker did not answer the login', { retryable: true })

function unavailable(reason: string, cause?: unknown): KafkaError {
  const message = `the token function of connection.sasl failed: ${reason}`
  return new KafkaError('TOKEN_UNAVAILABLE', message, { retryable: true, cause })
}

/** Encodes the client's first message (RFC 7628, section 3.1). */
function firstMessage(token: string, extensions: TokenLogin['extensions'] = {}): Buffer {
  const pairs = Object.entries(extensions).map(([name, value]) => `${name}=${value}\x01`)
  return Buffer.from(`n,,\x01auth=Bearer ${token}\x01${pairs.join('')}\x01`)
}

/**
 * Returns the error for a token that the broker rejects. It says so in an answer that is not an
 * error (RFC 7628, section 3.2.2), with JSON such as `{"status":"invalid_token"}`.
 */
function refusalIn(answer: Buffer | undefined): KafkaError | undefined {
  if (answer === undefined || answer.length === 0) return undefined
  const message = `the broker rejected the token: ${answer.toString().slice(0, 200)}`
  return new KafkaError('AUTHENTICATION_FAILED', message, { retryable: false })
}
