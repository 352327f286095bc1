import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { ProblemError } from './problem.ts'

/**
 * Reads a body as a whole, up to the limit of its route. Fastify keeps a Buffer for each chunk, and a request can have as
 * many chunks as bytes: four million Buffers for 4 MiB. This copies chunks together as they arrive, so that memory grows
 * with the bytes only.
 */
export function readBody(
  { headers, routeOptions: { bodyLimit } }: FastifyRequest,
  payload: IncomingMessage,
  done: (error: Error | null, body: Buffer) => void
): void {
  if (Number(headers['content-length']) > bodyLimit) {
    done(bodyTooLarge(), nothing)
    return
  }
  let body: Buffer = nothing
  let length = 0

  function onData(chunk: Buffer): void {
    if (length + chunk.length > bodyLimit) {
      end(bodyTooLarge())
      return
    }
    // Most bodies are one chunk, which needs no copy.
    if (length === 0) body = chunk
    else {
      if (length + chunk.length > body.length) {
        const larger = Buffer.allocUnsafe(Math.min(bodyLimit, 2 * (length + chunk.length)))
        body.copy(larger, 0, 0, length)
        body = larger
      }
      chunk.copy(body, length)
    }
    length += chunk.length
  }

  function onEnd(): void {
    end(null)
  }

  function onError(error: Error): void {
    end(Object.assign(error, { statusCode: 400 }))
  }

  function end(error: Error | null): void {
    payload.off('data', onData).off('end', onEnd).off('error', onError)
    done(error, body.subarray(0, length))
  }

  payload.on('data', onData).on('end', onEnd).on('error', onError)
}

const nothing = Buffer.alloc(0)

function bodyTooLarge(): ProblemError {
  return new ProblemError(413, 'BODY_TOO_LARGE', 'The request body is larger than this operation takes.')
}
