import { type API, type Connection, findErrorBy } from '@platformatic/kafka'
import { toKafkaError } from '../errors.ts'

/**
 * Sends one request and returns the whole response, even if parts of it contain error codes; the
 * caller decides which of them matter. The client library hides a response with any error inside
 * its exception. It also keeps a connection whose responses time out, so a stalled peer would be
 * used forever.
 *
 * After a timeout the connection is destroyed; the next request opens a new one.
 */
export async function request<Arguments extends unknown[], Response>(
  connection: Connection,
  api: API<Arguments, Response>,
  ...args: Arguments
): Promise<Response> {
  try {
    return await api.async(connection, ...args)
  } catch (error) {
    const response = (error as { response?: Response }).response
    if (response !== undefined && response !== null) return response
    if (findErrorBy(error as Error, 'code', 'PLT_KFK_TIMEOUT') !== null || isTimeout(error))
      connection.socket?.destroy()
    throw toKafkaError(error, `request ${api.key} to ${connection.host}:${connection.port}`)
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && /timed? ?out/i.test(error.message)
}
