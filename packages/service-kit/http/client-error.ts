import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionError } from 'fastify'
import { answerHeaders, requestIDOf } from './answer-headers.ts'
import { type Problem, problem, problemContentType } from './problem.ts'

/**
 * A socket with Node's internal field for the response in flight. Node's default `clientError`
 * handler reads it, too.
 */
type InFlight = Socket & { readonly _httpMessage?: { readonly headersSent: boolean } | null }

const problems: Readonly<Record<string, Problem>> = {
  ERR_HTTP_REQUEST_TIMEOUT: problem(408, 'REQUEST_TIMEOUT', 'The request did not arrive in time; nothing was done.'),
  HPE_HEADER_OVERFLOW: problem(431, 'HEADERS_TOO_LARGE', 'The URL and the headers together exceed 16 KiB.')
}
const noRequest = problem(400, 'BAD_REQUEST', 'The request is not valid HTTP.')
const noTunnel = problem(405, 'METHOD_NOT_ALLOWED', 'CONNECT is not supported: this server is not a proxy.')
const unknownExpectation = problem(417, 'EXPECTATION_FAILED', 'The only supported expectation is 100-continue.')

/**
 * Answers requests that are not valid HTTP, arrive too slowly, or have a head that is too large.
 */
export function answerClientError(error: ConnectionError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  // A response has already been sent for this request or the previous one. A second one would
  // confuse the caller.
  if ((socket as InFlight)._httpMessage?.headersSent === true) {
    socket.end()
    return
  }
  const answer = problems[error.code] ?? noRequest
  endWith(answer, socket)
  // The rest may have arrived while the process was busy. Destroying the socket keeps a refused
  // request from being executed.
  if (answer.status === 408) socket.destroy()
}

/**
 * Answers CONNECT and unknown `Expect` headers with a problem. Node does not pass these requests to
 * Fastify.
 */
export function answerUnusualRequests(server: Server): void {
  server.on('connect', (_request: IncomingMessage, socket: Socket) => endWith(noTunnel, socket, { allow: '' }))
  server.on('checkExpectation', ({ headers }: IncomingMessage, response: ServerResponse) => {
    const body = JSON.stringify(unknownExpectation)
    response.writeHead(unknownExpectation.status, headersOf(body, requestIDOf({ headers }))).end(body)
  })
}

function endWith(answer: Problem, socket: Socket, more: Record<string, string> = {}): void {
  const { status } = answer
  const body = JSON.stringify(answer)
  const headers = { ...headersOf(body, requestIDOf({ headers: {} })), ...more }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`)
}

function headersOf(body: string, requestID: string) {
  return {
    'content-type': problemContentType,
    'content-length': Buffer.byteLength(body),
    ...answerHeaders,
    'x-request-id': requestID,
    connection: 'close'
  }
}
