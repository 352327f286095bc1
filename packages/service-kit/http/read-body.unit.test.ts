import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { FastifyRequest } from 'fastify'
import { readBody } from './read-body.ts'

const read = (chunks: readonly Buffer[], bodyLimit: number, headers: Record<string, string> = {}) =>
  new Promise<Buffer>((resolve, reject) => {
    const payload = new PassThrough()
    const request = { headers, routeOptions: { bodyLimit } } as unknown as FastifyRequest
    readBody(request, payload as never, (error, body) => (error === null ? resolve(body) : reject(error)))
    for (const chunk of chunks) payload.write(chunk)
    payload.end()
  })

describe('readBody', () => {
  test('returns the sent bytes up to the limit, however they are split into chunks', async () => {
    const chunks = fc.array(
      fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes)),
      { maxLength: 20 }
    )
    await fc.assert(
      fc.asyncProperty(chunks, fc.nat(400), async (given, limit) => {
        const whole = Buffer.concat(given)
        if (whole.length <= limit) assert.deepEqual(await read(given, limit), whole)
        else await assert.rejects(read(given, limit), /larger than/)
      })
    )
  })

  test('refuses a body with a too large Content-Length before reading it', async () => {
    await assert.rejects(read([], 10, { 'content-length': '11' }), /larger than/)
  })

  test('keeps a million chunks of one byte in at most two million bytes of memory', async () => {
    const chunks = Array.from({ length: 1_000_000 }, () => Buffer.from('x'))
    const payload = new PassThrough()
    const request = { headers: {}, routeOptions: { bodyLimit: 2_000_000 } } as unknown as FastifyRequest
    const { promise, resolve } = Promise.withResolvers<Buffer>()
    readBody(request, payload as never, (_error, body) => resolve(body))
    for (const chunk of chunks) payload.emit('data', chunk)
    payload.emit('end')
    const body = await promise
    assert.ok(body.length === 1_000_000 && body.buffer.byteLength <= 2_000_000)
  })
})
