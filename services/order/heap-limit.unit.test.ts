import assert from 'node:assert/strict'
import { request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { startLimitedServer } from '@orderly/service-kit/testing'
import { anOrder } from './testing/order-api.ts'

const batch = '/orders/batch'
const [json, lines] = ['application/json', 'application/x-ndjson']
const fourMB = 4 * 1024 * 1024 - 200
/** Returns a body of about `bytes` bytes that is filled with copies of `unit`. */
const fill = (start: string, unit: string, end: string, bytes = fourMB) =>
  `${start}${unit.repeat(Math.floor((bytes - start.length - end.length) / unit.length))}${end}`
const wrongItems = JSON.stringify({ ...anOrder, items: Array.from({ length: 600 }, () => ({ a: 1 })) })
const maxOrder = 131_000

/**
 * Upper bounds for each request. Without limits in the API the first one took 1,500 ms and 1 GB.
 */
const maxCPUMs = 1_000
const maxRSSMB = 420

describe('cost of a request in a process with the heap limit of a container', async () => {
  test('an abusive body costs little CPU time and memory, and the next order is accepted', async t => {
    const server = await startLimitedServer(t, new URL('testing/serve-in-memory.ts', import.meta.url))
    const post = (path: string, type: string, body: string) =>
      new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
        const headers = { 'content-type': type, 'content-length': Buffer.byteLength(body) }
        const sending = request(`${server.address}${path}`, { method: 'POST', headers, agent: false }, async answer =>
          resolve({ status: answer.statusCode, body: await text(answer) })
        )
        sending.on('error', reject).end(body)
      })
    await post('/orders', json, JSON.stringify(anOrder))

    for (const [name, path, type, body, status, result] of [
      ['one order of 2,000,000 items', batch, json, fill('[{"userID":"a","total":1,"items":[', '0,', '0]}]'), 200, 413],
      ['one order of 1,390,000 objects', batch, json, fill('[{"items":[', '{},', '{}]}]'), 200, 413],
      ['2,000,000 orders', batch, json, fill('[', '0,', '0]'), 400],
      ['one order nested 2,000,000 levels', batch, json, fill('', '[', ''), 400],
      ['500 orders nested too deeply', batch, json, `[${Array(500).fill('['.repeat(40) + ']'.repeat(40))}]`, 400],
      ['one order of many fields', batch, json, fill('[{', '"a":1,', '"b":1}]'), 200, 413],
      ['one user id of 4 MB', batch, json, fill('[{"userID":"', 'x', '"}]'), 200, 413],
      ['one number of 4 MB', batch, json, fill('[{"total":', '9', '}]'), 200, 413],
      ['one string of backslashes', batch, json, fill('[{"userID":"', '\\\\', '"}]'), 200, 413],
      ['an unterminated string', batch, json, fill('[{"userID":"', 'x', ''), 400],
      ['500 orders with 600 invalid items', batch, json, `[${Array(500).fill(wrongItems)}]`, 200, 400],
      ['white space', batch, json, fill('[', ' ', ']'), 400],
      ['one line of 4 MB', batch, lines, fill('{"items":[', '0,', '0]}'), 200, 413],
      ['4,000,000 empty lines', batch, lines, fill('', '\n', ''), 400],
      ['2,000,000 lines', batch, lines, fill('', '0\n', ''), 400],
      [
        '500 lines of too many values',
        batch,
        lines,
        Array(30)
          .fill(fill('[', '0,', '0]', maxOrder))
          .join('\n'),
        200,
        400
      ],
      ['too many items', '/orders', json, fill('{"userID":"a","total":1,"items":[', '0,', '0]}', maxOrder), 400],
      ['too many fields', '/orders', json, fill('{', '"a":1,', '"b":1}', maxOrder), 400],
      ['too many levels', '/orders', json, fill('', '{"a":', '', maxOrder), 400],
      ['a long number', '/orders', json, fill('{"total":', '9', '}', maxOrder), 400],
      ['a long string', '/orders', json, fill('{"userID":"', 'ü', '"}', maxOrder / 2), 400],
      // The body fits into the socket buffers, so the answer arrives without the body being read.
      ['a body for a route that needs none', '/orders/x/cancel', json, fill('[', '0,', '0]', 100_000), 404]
    ] as const) {
      await t.test(name, async () => {
        const before = await server.usage()
        const answer = await post(path, type, body)
        const after = await server.usage()
        assert.equal(answer.status, status, answer.body.slice(0, 300))
        if (result !== undefined) {
          const { results } = JSON.parse(answer.body)
          assert.ok(results.every((one: { status: number }) => one.status === result))
        }
        assert.ok(after.cpuMs - before.cpuMs < maxCPUMs, `${Math.round(after.cpuMs - before.cpuMs)} ms`)
        assert.ok(after.maxRSSMB < maxRSSMB, `${Math.round(after.maxRSSMB)} MB`)
        assert.equal((await post('/orders', json, JSON.stringify(anOrder))).status, 202)
      })
    }

    await t.test('a body in chunks of one byte stays below the memory limit', async () => {
      const { hostname, port } = new URL(server.address)
      const socket = connect(Number(port), hostname)
      const head = `POST ${batch} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${json}\r\nTransfer-Encoding: chunked\r\n\r\n`
      socket.write(head)
      socket.end(Buffer.from(`${'1\r\n \r\n'.repeat(100_000)}0\r\n\r\n`))
      assert.match(await text(socket), /^HTTP\/1\.1 400 /)
      const { maxRSSMB: rss } = await server.usage()
      assert.ok(rss < maxRSSMB, `${Math.round(rss)} MB`)
    })

    await t.test('60 concurrent batches of the largest size get 400 or 503', async () => {
      const body = fill(
        '[',
        '{"userID":"a","items":[{"sku":"A","quantity":1},{"sku":"A","quantity":1}],"total":1,"x":1},',
        '{}]',
        fourMB
      )
      const answers = await Promise.allSettled(Array.from({ length: 60 }, () => post(batch, json, body)))
      const statuses = answers.map(answer => (answer.status === 'fulfilled' ? answer.value.status : 'cut off'))
      t.diagnostic(JSON.stringify(Object.groupBy(statuses, String)))
      assert.ok(server.isRunning())
      // If a refusal arrives while the client still sends the body, the client may see a broken
      // connection.
      assert.ok(statuses.every(status => status === 400 || status === 503 || status === 'cut off'))
      assert.equal((await post('/orders', json, JSON.stringify(anOrder))).status, 202)
    })

    const { cpuMs, maxRSSMB: rss } = await server.usage()
    t.diagnostic(`${Math.round(cpuMs)} ms of CPU time, ${Math.round(rss)} MB at most`)
  })
})
