import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
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

const hasFullDevice = existsSync('/dev/full')

test('an output that cannot be written fails with the reason', { skip: !hasFullDevice && 'no /dev/full' }, async () => {
  const full = openSync('/dev/full', 'w')
  const tool = spawn(process.execPath, [join(import.meta.dirname, '../main.ts'), '--help'], {
    stdio: ['ignore', full, 'pipe']
  })
  closeSync(full)
  const exited = once(tool, 'exit')
  const messages = (await tool.stderr?.toArray())?.join('')
  assert.match(messages ?? '', /The output cannot be written completely: ENOSPC/)
  assert.deepEqual(await exited, [1, null])
})
