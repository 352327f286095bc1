import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { inventoryReserved } from '@orderly/contracts/testing'
import { newTraceparent, parseConfig } from '@orderly/service-kit'
import { silentLogger } from '@orderly/service-kit/testing'
import { Type } from 'typebox'
import { notificationFor } from '../domain/notification.ts'
import { startMailServer } from '../testing/mail-server.ts'
import { notification } from '../testing/notifications.ts'
import { type Sink, SinkError } from './sink.ts'
import { smtpSink } from './smtp.ts'

const context = {
  logger: silentLogger(),
  locale: 'de' as const
}
const deliverOptions = { traceparent: newTraceparent(), signal: new AbortController().signal }

function smtp(t: TestContext, url: string, environment: Record<string, string> = {}): Sink {
  const config = parseConfig(Type.Object(smtpSink.settings), { SMTP_URL: url, ...environment })
  const [sink] = smtpSink.create(config, context)
  assert.ok(sink)
  t.after(() => sink.close())
  return sink
}

async function failure(promise: Promise<void>): Promise<SinkError> {
  const error = await promise.then(
    () => assert.fail('it was delivered'),
    error => error
  )
  assert.ok(error instanceof SinkError, String(error))
  return error
}

const refusal = (responseCode: number, message: string) => Object.assign(new Error(message), { responseCode })

test('an e-mail is sent to the user as text and HTML in the configured language, with user input escaped', async t => {
  const server = await startMailServer(t)
  const items = [{ sku: '<b>TEA</b>', quantity: 2 }]
  const given = notificationFor(inventoryReserved({ orderID: 'o-1', userID: 'ada', items }))
  await smtp(t, server.url, { SMTP_FROM: 'Shop <orders@shop.example>' }).deliver(given, deliverOptions)
  const [mail = assert.fail('no mail')] = server.mails
  assert.equal(mail.from, 'orders@shop.example')
  assert.deepEqual(mail.to, ['ada@example.com'])
  assert.equal(mail.headers.get('to'), 'ada@example.com')
  assert.equal(mail.headers.get('subject'), 'Bestellung reserviert')
  assert.equal(mail.headers.get('auto-submitted'), 'auto-generated')
  assert.match(mail.headers.get('content-type') ?? '', /^multipart\/alternative/)
  assert.match(mail.source, /text\/plain[\s\S]*2 =C3=97 <b>TEA<\/b>/)
  assert.match(mail.source, /text\/html[\s\S]*2 =C3=97 &lt;b&gt;TEA&lt;\/b&gt;/)
})

test("a repeated e-mail has the same Message-ID in the sender's domain, and another e-mail has another one", async t => {
  const server = await startMailServer(t)
  const sink = smtp(t, server.url, { SMTP_FROM: 'orders@shop.example' })
  const given = notification()
  for (const each of [given, given, notification()]) await sink.deliver(each, deliverOptions)
  const [first, second, third] = server.mails.map(({ headers }) => headers.get('message-id') ?? '')
  assert.match(first ?? '', /^<[0-9a-f]{40}@shop\.example>$/)
  assert.equal(second, first)
  assert.notEqual(third, first)
})

test('a permanent rejection of a recipient or a message is not retryable, and a temporary one is', async t => {
  const answers = [refusal(550, 'no such mailbox'), refusal(452, 'mailbox full')]
  const server = await startMailServer(t, { onRcptTo: (_address, _session, callback) => callback(answers.shift()) })
  const sink = smtp(t, server.url)
  const given = notification()
  const permanent = await failure(sink.deliver(given, deliverOptions))
  assert.deepEqual([permanent.code, permanent.retryable], ['SMTP_550', false])
  const passing = await failure(sink.deliver(given, deliverOptions))
  assert.deepEqual([passing.code, passing.retryable], ['SMTP_452', true])
  await sink.deliver(given, deliverOptions)

  const choosy = await startMailServer(t, { onMail: () => Promise.reject(refusal(554, 'looks like spam')) })
  assert.equal((await failure(smtp(t, choosy.url).deliver(given, deliverOptions))).retryable, false)
})

test('a rejected sender or login is retryable, because the settings can be fixed', async t => {
  const noSender = await startMailServer(t, {
    onMailFrom: (_address, _session, callback) => callback(refusal(550, 'no such sender'))
  })
  assert.equal((await failure(smtp(t, noSender.url).deliver(notification(), deliverOptions))).retryable, true)
  const noLogin = await startMailServer(t, {
    authOptional: false,
    allowInsecureAuth: true,
    onAuth: (_auth, _session, callback) => callback(refusal(535, 'wrong password'))
  })
  const url = noLogin.url.replace('//', '//me:password@')
  assert.equal((await failure(smtp(t, url).deliver(notification(), deliverOptions))).retryable, true)
})

test('an unavailable or unresponsive mail server is retryable', async t => {
  assert.equal((await failure(smtp(t, 'smtp://127.0.0.1:1').deliver(notification(), deliverOptions))).retryable, true)
  const silent = await startMailServer(t, { onRcptTo: () => {} })
  const { retryable } = await failure(
    smtp(t, silent.url, { SMTP_TIMEOUT_MS: '200' }).deliver(notification(), deliverOptions)
  )
  assert.equal(retryable, true)
})

test('a user id that yields no address is rejected permanently, and no e-mail is sent', async t => {
  const server = await startMailServer(t)
  const given = notification({ userID: 'eve@evil.example' })
  const { code, retryable } = await failure(smtp(t, server.url).deliver(given, deliverOptions))
  assert.deepEqual([code, retryable], ['RECIPIENT_INVALID', false])
  assert.equal(server.mails.length, 0)
})

test('with TLS required, nothing is sent to a server without TLS', async t => {
  const server = await startMailServer(t)
  const sink = smtp(t, server.url, { SMTP_REQUIRE_TLS: 'true' })
  assert.equal((await failure(sink.deliver(notification(), deliverOptions))).retryable, true)
  assert.equal(server.mails.length, 0)
})
