import assert from 'node:assert/strict'
import { glob, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { ConfigError, type Logger, newTraceparent, parseConfig, parseTraceparent } from '@orderly/service-kit'
import { pino } from 'pino'
import { configSchema } from '../config.ts'
import { messageFor } from '../domain/message.ts'
import { notification } from '../testing/notifications.ts'
import { createSinks, sinkNames, sinkSettings } from './sinks.ts'

const silent = pino({ level: 'silent' })
const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const database = { DATABASE_URL: 'postgres://me:password@database/orderly' }
const prod = {
  ...database,
  ORDERLY_PROFILE: 'prod',
  INSTANCE_ID: '1',
  KAFKA_BROKERS: 'broker:9092',
  SCHEMA_REGISTRY_URL: 'https://schemas.example'
}

function sinksOf(environment: Record<string, string>, logger: Logger = silent) {
  return createSinks(parseConfig(configSchema, { ...database, ...environment }), { logger, locale: 'en' })
}

test('the console sink writes one line with the notification and its trace at any LOG_LEVEL', async () => {
  const lines: string[] = []
  const [sink] = sinksOf({}, pino({ level: 'error' }, { write: line => lines.push(line) }))
  const given = notification()
  const traceparent = newTraceparent()
  await sink?.deliver(given, { traceparent, signal: new AbortController().signal })
  assert.equal(lines.length, 1)
  const { msg, notification: written, traceID, spanID } = JSON.parse(lines[0] ?? '')
  const { id, kind, orderID, userID } = given
  const { subject, text } = messageFor(given, 'en')
  const trace = parseTraceparent(traceparent)
  assert.deepEqual(
    { msg, written, traceID, spanID },
    {
      msg: 'notification sent',
      written: { id, kind, orderID, userID, subject, text },
      traceID: trace?.traceID,
      spanID: trace?.spanID
    }
  )
})

test('several sinks are created together, and each webhook endpoint is a separate target', async () => {
  const sinks = sinksOf({
    ...prod,
    NOTIFICATION_SINKS: 'console, smtp, webhook',
    SMTP_URL: 'smtp://mail.example',
    SMTP_FROM: 'orders@shop.example',
    SMTP_TO_TEMPLATE: '{userID}',
    WEBHOOK_URLS: 'shop=https://shop.example/hooks,erp=https://erp.example/',
    WEBHOOK_SECRETS: `shop=${secret},erp=${secret},shop=${secret}`
  })
  assert.deepEqual(
    sinks.map(({ target }) => target),
    ['console', 'smtp', 'webhook:shop', 'webhook:erp']
  )
  await Promise.all(sinks.map(sink => sink.close()))
})

test('in prod, all missing secrets and addresses of the chosen sinks are reported together', () => {
  assert.throws(
    () => sinksOf({ ...prod, NOTIFICATION_SINKS: 'smtp,webhook' }),
    (error: unknown) => {
      assert.ok(error instanceof ConfigError)
      assert.equal(error.exitCode, 78)
      assert.deepEqual(
        error.problems.map(problem => problem.slice(0, problem.indexOf(' '))),
        ['SMTP_URL', 'SMTP_FROM', 'SMTP_TO_TEMPLATE', 'WEBHOOK_URLS']
      )
      return true
    }
  )
})

test('missing settings of a sink that is not chosen are ignored', () => {
  assert.equal(sinksOf(prod).length, 1)
})

test('in dev, the SMTP sink defaults to a local server, and webhooks still require secrets', () => {
  const [sink] = sinksOf({ NOTIFICATION_SINKS: 'smtp' })
  assert.equal(sink?.target, 'smtp')
  assert.throws(() => sinksOf({ NOTIFICATION_SINKS: 'webhook', WEBHOOK_URLS: 'shop=https://shop.example' }), /whsec_/)
})

test('a template that yields no address is rejected, and so is an unknown sink', () => {
  const template = { NOTIFICATION_SINKS: 'smtp', SMTP_TO_TEMPLATE: 'for {userID} at home' }
  assert.throws(
    () => sinksOf(template),
    /SMTP_TO_TEMPLATE is "for \{userID\} at home", which does not yield an e-mail address/
  )
  assert.throws(() => sinksOf({ NOTIFICATION_SINKS: 'pigeon' }), /NOTIFICATION_SINKS is "pigeon"/)
})

test('every sink in this folder is listed', async () => {
  const found: string[] = []
  for await (const file of glob('**/*.ts', { cwd: import.meta.dirname })) {
    const source = await readFile(new URL(file, import.meta.url), 'utf8')
    for (const [, name = ''] of source.matchAll(/^export const (\w+)Sink = defineSink\(/gm)) found.push(name)
  }
  assert.deepEqual(found.toSorted(), sinkNames.toSorted())
})

test('the guide describes every sink and its settings', async () => {
  const guide = await readFile(new URL('../../../docs/guides/notifications.md', import.meta.url), 'utf8')
  for (const name of [...sinkNames, ...Object.keys(sinkSettings)]) assert.ok(guide.includes(`\`${name}\``), name)
})
