import { once } from 'node:events'
import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { SinkError } from '../sink.ts'

/**
 * The final response to a request, up to its headers.
 *
 * - Interim responses (1xx) are skipped; more than `maxInterimAnswers` are a failure.
 * - A receiver may close an idle connection while a request is sent on it. If the connection is
 *   lost before any byte of a response, the request is sent again on another connection. The
 *   receiver may then read it twice; it recognizes the id.
 * - Only the status decides. The body is read as far as needed: a long or slow body costs the
 *   connection, not time.
 */
export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  /** Reads the beginning of the body as text. */
  excerpt(): Promise<string>
  /**
   * Resolves when the body has ended or its connection was closed. A connection whose body has
   * ended can be reused.
   */
  drop(): Promise<void>
}

export interface PostOptions {
  readonly agent: Agent
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Maximum time until the headers of the final response, including connecting. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

const maxHeaderBytes = 16 * 1024
const maxInterimAnswers = 20
const maxExcerptBytes = 1024
const excerptMs = 2_000
/** Maximum size of a body that is read so that its connection can be reused. */
const maxDroppedBytes = 16 * 1024
const dropMs = 1_000

/**
 * Sends a request and waits for the headers of its final response.
 * @throws SinkError without a response; always retryable
 */
export async function post(options: PostOptions): Promise<Answer> {
  const { timeoutMs, signal } = options
  const timeout = AbortSignal.timeout(timeoutMs)
  const either = AbortSignal.any([signal, timeout])
  for (;;) {
    try {
      return answerOf(await exchange(options, either))
    } catch (error) {
      if (error instanceof LostConnection && !either.aborted) continue
      if (error instanceof SinkError) throw error
      if (timeout.aborted) throw new SinkError('TIMEOUT', `no answer within ${timeoutMs} ms`, { retryable: true })
      const { code, message } = (error instanceof LostConnection ? error.cause : error) as NodeJS.ErrnoException
      throw new SinkError(code ?? 'REQUEST_FAILED', message || 'the request failed', { retryable: true, cause: error })
    }
  }
}

/** A reused connection was lost before any byte of a response. */
class LostConnection extends Error {}

function exchange({ agent, url, headers, body }: PostOptions, signal: AbortSignal): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest
  const request = send(url, {
    agent,
    method: 'POST',
    headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    maxHeaderSize: maxHeaderBytes,
    signal
  })
  let interimAnswers = 0
  request.on('information', () => {
    if (++interimAnswers <= maxInterimAnswers) return
    const reason = `more than ${maxInterimAnswers} interim answers (1xx)`
    request.destroy(new SinkError('TOO_MANY_INTERIM_ANSWERS', reason, { retryable: true }))
  })
  request.on('upgrade', (_response, socket) => {
    socket.destroy()
    reject(new SinkError('HTTP_101', 'answered 101 although no protocol switch was requested', { retryable: true }))
  })
  request.on('response', resolve)
  request.on('error', (error: NodeJS.ErrnoException) => {
    const isLost = request.reusedSocket && interimAnswers === 0 && lostCodes.has(error.code ?? '')
    reject(isLost ? new LostConnection(error.message, { cause: error }) : error)
  })
  request.end(body)
  return promise
}

const lostCodes: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE'])

function answerOf(response: IncomingMessage): Answer {
  // The status is known at this point; an error of the body does not change it.
  response.on('error', () => {})
  const destroyAfter = (ms: number) => {
    const timer = setTimeout(() => response.destroy(), ms)
    response.once('close', () => clearTimeout(timer))
  }
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    async excerpt() {
      destroyAfter(excerptMs)
      const chunks: Buffer[] = []
      let bytes = 0
      try {
        for await (const chunk of response) {
          chunks.push(chunk)
          bytes += chunk.length
          if (bytes >= maxExcerptBytes) break
        }
      } catch {
        // A part of the body is enough.
      }
      return Buffer.concat(chunks).subarray(0, maxExcerptBytes).toString('utf8')
    },
    async drop() {
      destroyAfter(dropMs)
      let bytes = 0
      response.on('data', chunk => {
        bytes += chunk.length
        if (bytes > maxDroppedBytes) response.destroy()
      })
      await once(response, 'close')
    }
  }
}
