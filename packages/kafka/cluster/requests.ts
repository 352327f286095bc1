import { type API, type Connection, findErrorBy } from '@platformatic/kafka'
import { toKafkaError } from '../errors.ts'

/**
 * Sends one request and gives back the whole response, also when parts of it carry error codes: who asked
 * knows which of them matter. The client throws away a response with any error in it unless one looks inside
 * the error; it also keeps a connection on which an answer never came, so a stalled peer would be asked for ever.
 *
 * Without an answer in time the connection is destroyed; the next request opens a new one.
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
