import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

async function askAdvisories(t: TestContext, vulnerable: string) {
  const asked: string[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { queries } = JSON.parse(Buffer.concat(chunks).toString()) as { queries: { package: { purl: string } }[] }
    const purls = queries.map(query => query.package.purl)
    asked.push(...purls)
    const results = purls.map(purl => (purl === vulnerable ? { vulns: [{ id: 'GHSA-1' }] } : {}))
    response.end(JSON.stringify({ results }))
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const env = { ...process.env, OSV_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
  const child = spawn(process.execPath, [join(import.meta.dirname, 'advisories.ts')], { env })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', text => (output += text))
  const [code] = await once(child, 'close')
  return { code, output, asked }
}

test('an advisory for a component of an image is listed, and the exit code is 1', async t => {
  const { code, output, asked } = await askAdvisories(t, 'pkg:maven/org.postgresql/postgresql@42.7.7')
  assert.match(output, /^GHSA-1 {2}pkg:maven\/org\.postgresql\/postgresql@42\.7\.7\n\d+ components, 1 advisories/)
  assert.equal(code, 1)
  assert.ok(asked.some(purl => purl.startsWith('pkg:npm/fastify@')))
  assert.equal(new Set(asked).size, asked.length)
})

test('the exit code is 0 without an advisory', async t => {
  const { code, output } = await askAdvisories(t, 'none')
  assert.match(output, /, 0 advisories/)
  assert.equal(code, 0)
})
