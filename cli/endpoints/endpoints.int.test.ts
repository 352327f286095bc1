import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createApiKeyStore } from '@orderly/callers'
import { grantKey } from '@orderly/callers/testing'
import { createTopics, deadLetterTopic } from '@orderly/kafka'
import { createMissingTopics } from '@orderly/launcher'
import { integrationEnvironment, startBroker, startService } from '@orderly/launcher/testing'
import { createPool } from '@orderly/postgres'
import { askTool, runTool } from '../testing/run-tool.ts'

const { registryURL, databaseURL } = integrationEnvironment()
const url = await databaseURL()
const pool = createPool({ url, maxConnections: 2, applicationName: 'endpoints-test', statementTimeoutMs: 10_000 })
after(() => pool.end())
const environment = { DATABASE_URL: url }

interface Listed {
  readonly name: string
  readonly caller: string | null
  readonly state: string
  readonly secrets: number
  readonly waiting: number
}

const listed = async () =>
  (await askTool<Listed[]>(environment, 'endpoints', 'list')).map(
    ({ name, caller, state, secrets }) => `${name} of ${caller}: ${state}, ${secrets}`
  )

test('webhook endpoints of callers and of the operator', async t => {
  // The service registers its targets. It becomes healthy when its topics exist.
  const { brokers } = await startBroker(t)
  const connection = { brokers, clientID: 'endpoints-test' }
  await createMissingTopics(connection, { partitions: 1, replicationFactor: 1 })
  await createTopics(connection, [{ name: deadLetterTopic('notifications'), partitions: 1, replicationFactor: 1 }])
  const service = await startService(t, 'notification', {
    ...{ KAFKA_BROKERS: brokers.join(','), SCHEMA_REGISTRY_URL: registryURL },
    ...environment
  })
  await service.stop()
  const keys = createApiKeyStore(pool)
  await grantKey(keys, { name: 'berlin', role: 'shop' })

  await t.test('an endpoint is added, listed, changed and removed, and each secret is shown once', async () => {
    const { secret } = await askTool<{ secret: string }>(
      environment,
      ...words('endpoints add shop --caller berlin --url https://shop.example/hidden')
    )
    assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
    const printed = await runTool(environment, ...words('endpoints add erp --url http://erp.example/hidden'))
    assert.match(printed.stdout, /^whsec_\S{44}\n$/)
    assert.match(printed.stderr, /erp for all callers added/)
    assert.deepEqual(await listed(), ['erp of null: enabled, 1', 'shop of berlin: enabled, 1'])
    const { rows } = await pool.query('SELECT target, url FROM notification.endpoints ORDER BY target')
    assert.deepEqual(rows, [
      { target: 'webhook:berlin/shop', url: 'https://shop.example/hidden' },
      { target: 'webhook:erp', url: 'http://erp.example/hidden' }
    ])

    const next = await askTool<{ secret: string }>(
      environment,
      ...words('endpoints set shop --caller berlin --add-secret --disabled yes')
    )
    assert.notEqual(next.secret, secret)
    assert.deepEqual(await listed(), ['erp of null: enabled, 1', 'shop of berlin: disabled, 2'])
    await runTool(
      environment,
      ...words('endpoints set shop --caller berlin --drop-secrets --disabled no --url https://b.example')
    )
    assert.deepEqual(await listed(), ['erp of null: enabled, 1', 'shop of berlin: enabled, 1'])
    const left = await pool.query('SELECT secret FROM notification.endpoint_secrets WHERE target = $1', [
      'webhook:berlin/shop'
    ])
    assert.deepEqual(left.rows, [{ secret: next.secret }])
    const shown = await runTool(environment, 'endpoints', 'list')
    assert.doesNotMatch(shown.stdout, /hidden|whsec_|https?:/)

    await pool.query(
      `INSERT INTO notification.deliveries (event_id, target, caller, user_id, content, traceparent, accepted_at)
      SELECT 'e-' || target, target, 'berlin', 'ada', '{}', '', now() FROM notification.endpoints`
    )
    await pool.query(
      `INSERT INTO notification.lanes (target, caller, user_id, due_at) SELECT target, caller, user_id, now() FROM notification.deliveries`
    )
    const removed = await runTool(environment, ...words('endpoints remove shop --caller berlin'))
    assert.match(removed.stdout, /shop of berlin removed; 1 delivery skipped/)
    const states = await pool.query('SELECT target, status, code FROM notification.deliveries ORDER BY target')
    assert.deepEqual(states.rows, [
      { target: 'webhook:berlin/shop', status: 'skipped', code: 'TARGET_REMOVED' },
      { target: 'webhook:erp', status: 'due', code: null }
    ])
    const lanes = await pool.query('SELECT target FROM notification.lanes')
    assert.deepEqual(lanes.rows, [{ target: 'webhook:erp' }])
    assert.deepEqual(await listed(), ['erp of null: enabled, 1'])
  })

  await t.test('invalid input is refused with advice, and nothing is stored', async () => {
    const before = await listed()
    const refused: [string, number, RegExp][] = [
      ['endpoints add Shop --url https://a.example', 64, /The name is "Shop": give 1 to 32 lower-case letters/],
      ['endpoints add shop', 64, /Give the URL/],
      ['endpoints add shop --url ftp://a.example', 64, /--url is not an http or https address/],
      ['endpoints add shop --url https://me:secret@a.example', 64, /--url contains a user or a password/],
      ['endpoints add shop --url https://a.example --caller rome', 1, /Caller rome does not exist: npm run api-keys/],
      ['endpoints add erp --url https://a.example', 1, /Endpoint erp for all callers exists already/],
      ['endpoints set erp', 64, /Give a change/],
      ['endpoints set erp --disabled maybe', 64, /--disabled is "maybe": give yes or no/],
      ['endpoints set erp --add-secret --drop-secrets', 64, /two steps/],
      ['endpoints set erp --caller berlin --disabled yes', 1, /Endpoint erp of berlin does not exist/],
      ['endpoints remove nothing', 1, /Endpoint nothing for all callers does not exist/]
    ]
    for (const [line, expected, message] of refused) {
      const { code, stderr } = await runTool(environment, ...words(line))
      assert.equal(code, expected, `${line}: ${stderr}`)
      assert.match(stderr, message)
      assert.doesNotMatch(stderr, /secret@/)
    }
    assert.deepEqual(await listed(), before)
  })

  await t.test('the doctor reports an endpoint that accepts nothing, and no removed endpoint', async () => {
    const findings = async () => {
      const nowhere = { ...environment, KAFKA_BROKERS: '127.0.0.1:1', SCHEMA_REGISTRY_URL: 'http://127.0.0.1:1' }
      const found = await askTool<{ findings: { about: string; what: string }[] }>(nowhere, 'doctor')
      return found.findings.flatMap(({ about, what }) => (about.startsWith('webhook:') ? [`${about}: ${what}`] : []))
    }
    await pool.query(`INSERT INTO notification.targets (target, fingerprint, disabled_at, seen_at) VALUES
      ('webhook:erp', '', NULL, now()), ('webhook:off', '', now(), now()), ('webhook:removed', '', now(), now() - interval '1 hour')`)
    await pool.query(`UPDATE notification.deliveries SET attempts = 3, code = 'HTTP_500', accepted_at = now() - interval '2 hours'
      WHERE target = 'webhook:erp'`)
    const [failing = '', off = '', ...more] = (await findings()).toSorted()
    assert.match(failing, /^webhook:erp: has accepted nothing in the last hour, and 1 delivery fails \(HTTP_500\)/)
    assert.match(off, /^webhook:off: is disabled/)
    assert.deepEqual(more, [])
    await pool.query(`INSERT INTO notification.deliveries
      (event_id, target, user_id, content, traceparent, accepted_at, finished_at, status)
      VALUES ('sent', 'webhook:erp', 'bob', '{}', '', now(), now(), 'sent')`)
    assert.equal((await findings()).length, 1)
  })
})

function words(line: string): string[] {
  return line.split(' ')
}
