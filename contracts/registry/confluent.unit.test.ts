import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { ContractError, SchemaRejectedError } from '../errors.ts'
import { orderCreatedSchemas } from '../generated/order-created.ts'
import { createSchemaRegistry } from './confluent.ts'
import type { SchemaRegistry } from './registry.ts'

const schema = orderCreatedSchemas.versions[1]
const subject = 'orders.created-value'

interface Answer {
  readonly status: number
  readonly body?: object | string
}

interface FakeRegistry {
  readonly registry: SchemaRegistry
  /** Requests except those about the compatibility mode. */
  readonly requests: IncomingMessage[]
  /** Method and path of the requests about the compatibility mode. */
  readonly modeRequests: string[]
  /**
   * Responses to the requests about the compatibility mode, in turn. By default the mode is
   * correct.
   */
  readonly modeAnswers: Answer[]
  readonly url: string
}

/**
 * Starts a server that sends these responses in turn and repeats the last one; `hang` never
 * answers.
 */
async function fakeRegistry(t: TestContext, ...answers: readonly (Answer | 'hang')[]): Promise<FakeRegistry> {
  const requests: IncomingMessage[] = []
  const modeRequests: string[] = []
  const modeAnswers: Answer[] = []
  const modeIsRight = { status: 200, body: { compatibilityLevel: 'FULL_TRANSITIVE' } }
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const isAboutMode = request.url?.startsWith('/base/config/') === true
    if (isAboutMode) modeRequests.push(`${request.method} ${request.url}`)
    else requests.push(request)
    const answer = isAboutMode
      ? (modeAnswers.shift() ?? modeIsRight)
      : answers[Math.min(requests.length, answers.length) - 1]
    if (answer === undefined || answer === 'hang') return
    response.statusCode = answer.status
    response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {}))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/base`
  const options = { timeoutMs: 200, attempts: 3, retryDelayMs: 1, confirmUnknownMs: 1 }
  return {
    registry: createSchemaRegistry({ url: `${url}/`, username: 'shop', password: 'pässword', ...options }),
    requests,
    modeRequests,
    modeAnswers,
    url
  }
}

function codeIs(code: string, ...words: readonly string[]) {
  return (error: unknown) =>
    error instanceof ContractError && error.code === code && words.every(word => error.message.includes(word))
}

test('requests use the base URL and the credentials', async t => {
  const { registry, requests } = await fakeRegistry(t, { status: 200, body: { id: 7 } })
  assert.equal(await registry.register('orders/created', schema), 7)
  assert.equal(requests[0]?.url, '/base/subjects/orders%2Fcreated')
  assert.equal(requests[0]?.headers.authorization, `Basic ${Buffer.from('shop:pässword').toString('base64')}`)
})

test('a registered schema is not registered again', async t => {
  const { registry, requests } = await fakeRegistry(t, { status: 200, body: { id: 7 } })
  await registry.register(subject, schema)
  assert.equal(requests.length, 1)
})

test('the mode of a subject is set to FULL_TRANSITIVE before registering, unless it is already set', async t => {
  const modeOf = { get: `GET /base/config/${subject}`, put: `PUT /base/config/${subject}` }
  for (const [before, expected] of [
    [{ status: 200, body: { compatibilityLevel: 'FULL_TRANSITIVE' } }, [modeOf.get]],
    [{ status: 200, body: { compatibilityLevel: 'BACKWARD' } }, [modeOf.get, modeOf.put]],
    [{ status: 404, body: { error_code: 40408, message: 'not configured' } }, [modeOf.get, modeOf.put]]
  ] as const) {
    const { registry, modeRequests, modeAnswers } = await fakeRegistry(t, { status: 200, body: { id: 7 } })
    modeAnswers.push(before, { status: 200, body: { compatibility: 'FULL_TRANSITIVE' } })
    assert.equal(await registry.register(subject, schema), 7)
    assert.deepEqual(modeRequests, expected)
  }
})

test('if the registry refuses to set the mode, an error is thrown and nothing is registered', async t => {
  const { registry, requests, modeAnswers } = await fakeRegistry(t, { status: 200, body: { id: 7 } })
  const notSet = { status: 404, body: { error_code: 40401 } }
  modeAnswers.push(notSet, { status: 422, body: { message: 'no such mode' } }, notSet)
  await assert.rejects(registry.register(subject, schema), codeIs('REGISTRY_REFUSED', subject, 'no such mode'))
  assert.equal(requests.length, 0)
})

test('a conflict with an instance that sets the mode concurrently is ignored', async t => {
  const { registry, modeAnswers } = await fakeRegistry(t, { status: 200, body: { id: 7 } })
  modeAnswers.push({ status: 404, body: { error_code: 40401 } }, { status: 409, body: { message: 'already exists' } })
  assert.equal(await registry.register(subject, schema), 7)
})

test('the versions of a subject are returned in order, and an unknown subject has none', async t => {
  const { registry, requests } = await fakeRegistry(
    t,
    { status: 200, body: [3] },
    { status: 200, body: { version: 3, schema: '"string"' } },
    { status: 404, body: { error_code: 40401 } }
  )
  assert.deepEqual(await registry.versions(subject), [{ version: 3, format: 'AVRO', text: '"string"' }])
  assert.deepEqual(await registry.versions(subject), [])
  assert.deepEqual(
    requests.map(({ url }) => url),
    [`/base/subjects/${subject}/versions`, `/base/subjects/${subject}/versions/3`, `/base/subjects/${subject}/versions`]
  )
})

test('an unregistered schema is registered', async t => {
  const notFound = { status: 404, body: { error_code: 40401, message: 'Subject not found' } }
  const { registry, requests } = await fakeRegistry(t, notFound, { status: 200, body: { id: 8 } })
  assert.equal(await registry.register(subject, schema), 8)
  assert.equal(requests[1]?.url, `/base/subjects/${subject}/versions`)
})

test('an incompatible schema is rejected with the subject, the reason of the registry and the fix', async t => {
  const notFound = { status: 404, body: { error_code: 40403, message: 'Schema not found' } }
  const conflict = { status: 409, body: { error_code: 409, message: 'field total has no default' } }
  const { registry } = await fakeRegistry(t, notFound, conflict, notFound)
  await assert.rejects(
    registry.register(subject, schema),
    error =>
      error instanceof SchemaRejectedError &&
      error.subject === subject &&
      !error.retryable &&
      codeIs('SCHEMA_REJECTED', subject, 'OrderCreated', 'field total has no default', 'default')(error)
  )
})

test('a conflict with an instance that registered the same schema concurrently is ignored', async t => {
  const notFound = { status: 404, body: { error_code: 40401 } }
  const { registry } = await fakeRegistry(t, notFound, { status: 409 }, { status: 200, body: { id: 9 } })
  assert.equal(await registry.register(subject, schema), 9)
})

test('a transient error of the registry is retried', async t => {
  const { registry } = await fakeRegistry(t, { status: 503 }, 'hang', { status: 200, body: { id: 7 } })
  assert.equal(await registry.register(subject, schema), 7)
})

test('if all attempts fail, the error is retryable and names the address and the setting', async t => {
  for (const answer of ['hang', { status: 500, body: 'oops' }] as const) {
    const { registry, requests, url } = await fakeRegistry(t, answer)
    await assert.rejects(
      registry.schemaByID(1),
      error =>
        codeIs('REGISTRY_UNAVAILABLE', url, 'SCHEMA_REGISTRY_URL')(error) && (error as ContractError).retryable === true
    )
    assert.equal(requests.length, 3)
  }
})

test('an unreachable registry is reported as unavailable with the socket error', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise(closed => server.close(closed))
  const registry = createSchemaRegistry({ url: `http://127.0.0.1:${port}`, attempts: 1 })
  await assert.rejects(registry.schemaByID(1), codeIs('REGISTRY_UNAVAILABLE', 'ECONNREFUSED'))
})

test('wrong credentials fail immediately with the names of the settings and without the password', async t => {
  const { registry, requests } = await fakeRegistry(t, { status: 401, body: { message: 'Unauthorized' } })
  await assert.rejects(
    registry.register(subject, schema),
    error =>
      codeIs('REGISTRY_REFUSED', subject, 'SCHEMA_REGISTRY_USERNAME')(error) && !String(error).includes('pässword')
  )
  assert.equal(requests.length, 1)
})

test('a server that is not a registry causes an error instead of an unknown schema', async t => {
  for (const answer of [
    { status: 404, body: '<h1>Not Found</h1>' },
    { status: 200, body: '<h1>Welcome</h1>' }
  ]) {
    const { registry } = await fakeRegistry(t, answer)
    await assert.rejects(registry.schemaByID(1), codeIs('REGISTRY_REFUSED', 'SCHEMA_REGISTRY_URL'))
    await assert.rejects(registry.register(subject, schema), codeIs('REGISTRY_REFUSED', 'SCHEMA_REGISTRY_URL'))
  }
})

test('an id counts as unknown only after a second lookup, in case the registry lags', async t => {
  const { registry, requests } = await fakeRegistry(
    t,
    { status: 404, body: { error_code: 40403 } },
    { status: 200, body: { schema: '"string"' } }
  )
  assert.deepEqual(await registry.schemaByID(1), { format: 'AVRO', text: '"string"' })
  assert.equal(requests.length, 2)
})

test('a schema is returned with its format if it is not Avro', async t => {
  const { registry } = await fakeRegistry(t, { status: 200, body: { schema: '{}', schemaType: 'JSON' } })
  assert.deepEqual(await registry.schemaByID(1), { format: 'JSON', text: '{}' })
})
