import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerHeaders, requestIDOf } from './answer-headers.ts'
import { problem, problemContentType } from './problem.ts'

/**
 * Answers requests while a service starts, which may take as long as a migration. The service is
 * live but not ready; all other requests get 503.
 */
export function answerStarting(request: IncomingMessage, response: ServerResponse): void {
  const [path] = (request.url ?? '').split('?')
  for (const [name, value] of Object.entries(answerHeaders)) response.setHeader(name, value)
  response.setHeader('x-request-id', requestIDOf(request))
  response.setHeader('cache-control', 'no-store')
  // Closes the connection, so that later requests reach the routes of the started service.
  response.setHeader('connection', 'close')
  if (path === '/health/live') answer(response, 200, 'application/json; charset=utf-8', { status: 'live' })
  else if (path === '/health/ready') {
    answer(response, 503, 'application/json; charset=utf-8', { status: 'not ready', checks: { start: 'failing' } })
  } else {
    response.setHeader('retry-after', 1)
    answer(response, 503, problemContentType, problem(503, 'STARTING', 'The service is starting.'))
  }
}

function answer(response: ServerResponse, status: number, contentType: string, body: object): void {
  response.writeHead(status, { 'content-type': contentType }).end(JSON.stringify(body))
}
