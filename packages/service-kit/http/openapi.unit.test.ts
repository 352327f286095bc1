import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createTestHttp, type TestHttpOptions } from '../testing/index.ts'
import { pagePlugin } from './api-page.ts'
import { addOpenApi } from './openapi.ts'

const addresses = { order: 'http://127.0.0.1:1', inventory: 'http://127.0.0.1:2' }

describe('the API page', () => {
  async function serve(t: Parameters<typeof createTestHttp>[0], options: TestHttpOptions = {}) {
    const { http } = createTestHttp(t, options)
    await addOpenApi(http, {
      ...{ name: 'order', title: 'Tiny API', description: 'A test API.' },
      ...{ tags: [], securitySchemes: {} }
    })
    return http
  }

  test('uses only resources of its service, and its policy allows no others', async t => {
    const http = await serve(t)
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
    assert.match(initializer, /"validatorUrl":null/)
  })

  test('lists the documents of all services, its own one first chosen', async t => {
    const http = await serve(t, { apiAddresses: addresses })
    const initializer = (await http.inject('/docs/static/swagger-initializer.js')).body
    const [, list = '[]'] = /"urls":(\[.*?\]),"/.exec(initializer) ?? []
    const documents: { name: string; url: string }[] = JSON.parse(list)
    assert.deepEqual(
      documents.map(({ name }) => name),
      ['order', 'inventory', 'aggregator']
    )
    assert.match(initializer, /"urls.primaryName":"order"/)
    const [own, inventory, aggregator] = await Promise.all(
      documents.map(async ({ url }) => (await http.inject(url)).json())
    )
    assert.equal(own.info.title, 'Tiny API')
    assert.deepEqual(own.servers, [{ url: '/' }])
    assert.equal(inventory.info.title, 'Orderly inventory API')
    assert.deepEqual(inventory.servers, [{ url: addresses.inventory }])
    assert.match(inventory.info.description, /open \[http:\/\/127\.0\.0\.1:2\/docs\]/)
    assert.equal(aggregator.info.title, 'Orderly aggregator API')
    assert.match(aggregator.info.description, /open `\/docs` of the service `aggregator`/)
  })

  test('sends requests only to the service that serves it', async t => {
    const http = await serve(t)
    // The text of the function is all that the browser gets.
    const plugin = new Function('SwaggerUIBundle', `return (${pagePlugin.toString()})()`)
    const [, { statePlugins }] = plugin({ plugins: {} })
    const allows = (document: Record<string, unknown>) => {
      const specSelectors = { specJson: () => new Map(Object.entries(document)) }
      return statePlugins.spec.wrapSelectors.allowTryItOutFor(undefined, { specSelectors })()
    }
    assert.equal(allows((await http.inject('/openapi.json')).json()), true)
    assert.equal(allows((await http.inject('/docs/api/inventory.json')).json()), false)
  })

  test('GET / leads to it, on a service without an API to that of the order service', async t => {
    const leadsTo = async (http: { inject(url: string): PromiseLike<{ statusCode: number; headers: object }> }) => {
      const { statusCode, headers } = await http.inject('/')
      return [statusCode, (headers as { location?: string }).location]
    }
    assert.deepEqual(await leadsTo(await serve(t)), [302, '/docs'])
    assert.deepEqual(await leadsTo(createTestHttp(t, { apiAddresses: addresses }).http), [
      302,
      'http://127.0.0.1:1/docs'
    ])
    assert.deepEqual(await leadsTo(createTestHttp(t).http), [404, undefined])
  })
})
