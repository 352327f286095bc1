import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTestHttp } from '../testing/index.ts'
import { addOpenApi } from './openapi.ts'

test('/docs loads only resources of this service, and its policy allows no others', async t => {
  const { http } = createTestHttp(t)
  await addOpenApi(http, { title: 'Tiny API', description: 'For a test.', tags: [], securitySchemes: {} })
  const page = await http.inject('/docs')
  assert.equal(page.statusCode, 200)
  const policy = String(page.headers['content-security-policy'])
  assert.match(policy, /default-src 'none'; script-src 'self'/)
  assert.doesNotMatch(policy, /https?:|script-src [^;]*unsafe/)
  assert.doesNotMatch(page.body, /<script>|https?:\/\//)
  const links = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => String(link))
  assert.ok(links.length >= 5)
  for (const link of links) {
    const { statusCode, headers } = await http.inject(new URL(link, 'http://x/docs').pathname)
    assert.equal(statusCode, 200, link)
    assert.equal(headers['x-content-type-options'], 'nosniff')
  }
  const initializer = (await http.inject('/docs/static/swagger-initializer.js')).body
  assert.match(initializer, /"url":"\/openapi.json"/)
  assert.match(initializer, /"validatorUrl":null/)
})
