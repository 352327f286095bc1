import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionError } from 'fastify'
import { requestIDOf, securityHeaders } from './answer-headers.ts'
import { type Problem, problem, problemContentType } from './problem.ts'

const problems: Readonly<Record<string, Problem>> = {
  ERR_HTTP_REQUEST_TIMEOUT: problem(408, 'REQUEST_TIMEOUT', 'The request did not arrive in time; nothing was done.'),
  HPE_HEADER_OVERFLOW: problem(431, 'HEADERS_TOO_LARGE', 'The headers are larger than 16 KiB.')
}
const noRequest = problem(400, 'BAD_REQUEST', 'This is not a request that can be read.')

/** What came over the connection is not HTTP, or too slow or too large to become a request. */
export function answerClientError(error: ConnectionError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const answer = problems[error.code] ?? noRequest
  const { status } = answer
  const body = JSON.stringify(answer)
  const headers = {
    'content-type': problemContentType,
    'content-length': Buffer.byteLength(body),
    ...securityHeaders,
    'x-request-id': requestIDOf({ headers: {} }),
    connection: 'close'
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`)
  // The rest may lie here already, when it was us who were late: read now, the request would be done although it was refused.
  if (status === 408) socket.destroy()
}
