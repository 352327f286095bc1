import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'

const rows = Array.from({ length: 200_000 }, (_, index) => `SKU-${index},${index}`)
const csv = `sku,available\n${rows.join('\n')}\n`

test('an export larger than the pipe buffer is complete for a slow reader', async t => {
  const answered = Promise.withResolvers<void>()
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/csv').end(csv, () => answered.resolve())
  })
  t.after(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const env = { ...process.env, INVENTORY_URL: `http://127.0.0.1:${port}` }
  const tool = spawn(process.execPath, [join(import.meta.dirname, '../main.ts'), 'stock', 'export'], { env })
  const exited = once(tool, 'exit')
  await answered.promise
  const chunks: Buffer[] = []
  for await (const chunk of tool.stdout) chunks.push(chunk)
  assert.equal(Buffer.concat(chunks).toString(), csv)
  assert.deepEqual(await exited, [0, null])
})
