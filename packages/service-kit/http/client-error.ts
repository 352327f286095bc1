import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionError } from 'fastify'
import { answerHeaders, requestIDOf } from './answer-headers.ts'
import { type Problem, problem, problemContentType } from './problem.ts'

/** Node keeps the answer in flight here. Its own handler of client errors looks at it as well. */
type InFlight = Socket & { readonly _httpMessage?: { readonly headersSent: boolean } | null }

const problems: Readonly<Record<string, Problem>> = {
  ERR_HTTP_REQUEST_TIMEOUT: problem(408, 'REQUEST_TIMEOUT', 'The request did not arrive in time; nothing was done.'),
  HPE_HEADER_OVERFLOW: problem(431, 'HEADERS_TOO_LARGE', 'URL and headers together are larger than 16 KiB.')
}
const noRequest = problem(400, 'BAD_REQUEST', 'This is not a request that can be read.')
const noTunnel = problem(405, 'METHOD_NOT_ALLOWED', 'This is not a proxy.')
const unknownExpectation = problem(417, 'EXPECTATION_FAILED', 'The only expectation that can be met is 100-continue.')

/** Answers bytes that are not HTTP, or too slow or too large to become a request. */
export function answerClientError(error: ConnectionError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  // The request before this was answered already, or what follows its head is at fault: two answers would confuse the caller.
  if ((socket as InFlight)._httpMessage?.headersSent === true) {
    socket.end()
    return
  }
  const answer = problems[error.code] ?? noRequest
  endWith(answer, socket)
  // When the service was late, the rest may have arrived already: read now, the request would be done although it was refused.
  if (answer.status === 408) socket.destroy()
}

/** Answers requests that Node keeps from Fastify, and would answer without a body or not at all. */
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
