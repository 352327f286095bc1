import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

async function adjust(t: TestContext, listener: RequestListener) {
  const server = createServer(listener)
  t.after(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const env = { ...process.env, INVENTORY_URL: `http://127.0.0.1:${port}` }
  const main = join(import.meta.dirname, '../main.ts')
  const tool = spawn(process.execPath, [main, 'stock', 'adjust', 'MUG', '--add', '1', '--key', 'k'], { env })
  const exited = once(tool, 'exit')
  const messages = (await tool.stderr.toArray()).join('')
  return { messages, code: (await exited)[0] }
}

test('an adjustment without an answer may have taken effect, and is to be repeated with its key', async t => {
  const { messages, code } = await adjust(t, ({ socket }) => socket.destroy())
  assert.match(messages, /The result is unknown\. Try again with --key k/)
  assert.equal(code, 1)
})

test('a refused adjustment has not taken effect, whatever words the refusal contains', async t => {
  const { messages, code } = await adjust(t, (_, response) => {
    response.writeHead(503, { 'content-type': 'application/problem+json' })
    response.end(JSON.stringify({ code: 'UNAVAILABLE', detail: 'The database does not answer.' }))
  })
  assert.match(messages, /Refused: The database does not answer/)
  assert.doesNotMatch(messages, /unknown/)
  assert.equal(code, 1)
})
