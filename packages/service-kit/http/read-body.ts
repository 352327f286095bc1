import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { ProblemError } from './problem.ts'

/**
 * Reads the whole body, up to the limit of its route. Chunks are copied into one buffer as they
 * arrive, so memory grows with the number of bytes only. Fastify's reader keeps a Buffer per chunk,
 * and a client can send one byte per chunk: four million Buffers for 4 MiB.
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
    // Most bodies have a single chunk, which needs no copy.
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
  return new ProblemError(413, 'BODY_TOO_LARGE', 'The request body is larger than this operation accepts.')
}
