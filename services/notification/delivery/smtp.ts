import { createTransport } from 'nodemailer'
import { Type } from 'typebox'
import { messageFor } from '../domain/message.ts'
import { emailAddressOf, messageIDOf } from './addressing.ts'
import { defineSink, SinkError } from './sink.ts'

/** Matches a sender with or without a display name and angle brackets; captures the domain. */
const senderShape = /^[^\r\n<>]*<?[^\s<>@]+@([A-Za-z0-9.-]+)>?$/

/** Sink that sends an e-mail per notification, as text and HTML. */
export const smtpSink = defineSink({
  settings: {
    SMTP_URL: Type.Optional(
      Type.String({
        description: 'the address of the mail server, smtp://user:password@host:587 or smtps://user:password@host:465',
        pattern: '^smtps?://[^\\s]+$',
        secret: true,
        devDefault: 'smtp://127.0.0.1:1025'
      })
    ),
    SMTP_FROM: Type.Optional(
      Type.String({
        description: 'the sender, Shop <orders@shop.example>',
        pattern: senderShape.source,
        devDefault: 'Orderly <orders@example.com>'
      })
    ),
    SMTP_TO_TEMPLATE: Type.Optional(
      Type.String({
        description:
          "the recipient's address with {userID} in it, {userID}@customers.example, and with {caller} where callers use the same user ids for different users; {userID} alone where it is an address",
        pattern: '\\{userID\\}',
        devDefault: '{userID}@example.com'
      })
    ),
    SMTP_REQUIRE_TLS: Type.Boolean({
      description: 'whether TLS is required (STARTTLS if SMTP_URL starts with smtp://)',
      default: true,
      devDefault: false
    }),
    SMTP_MAX_CONNECTIONS: Type.Integer({
      description: 'the maximum number of connections to the mail server',
      minimum: 1,
      maximum: 100,
      default: 5
    }),
    SMTP_TIMEOUT_MS: Type.Integer({
      description: 'the maximum time to hand over an e-mail, in milliseconds',
      minimum: 100,
      maximum: 60_000,
      default: 20_000
    })
  },

  problems(config) {
    const missing = (['SMTP_URL', 'SMTP_FROM', 'SMTP_TO_TEMPLATE'] as const).filter(name => config[name] === undefined)
    const problems = missing.map(name => `${name} is needed because NOTIFICATION_SINKS names smtp: ${advice[name]}`)
    const template = config.SMTP_TO_TEMPLATE
    const probes = ['ada', 'ada@example.com'].map(userID => ({ userID, caller: 'shop' }))
    if (template !== undefined && probes.every(probe => emailAddressOf(probe, template) === undefined)) {
      problems.push(
        `SMTP_TO_TEMPLATE is "${template}", which does not yield an e-mail address: ${advice.SMTP_TO_TEMPLATE}`
      )
    }
    return problems
  },

  create(config, { locale }) {
    const { SMTP_URL: url = '', SMTP_FROM: from = '', SMTP_TO_TEMPLATE: template = '' } = config
    const timeoutMs = config.SMTP_TIMEOUT_MS
    const senderDomain = senderShape.exec(from)?.[1] ?? 'localhost'
    const transport = createTransport({
      pool: true,
      url,
      maxConnections: config.SMTP_MAX_CONNECTIONS,
      // The delivery loop retries with the same message id; a retry by the pool would be
      // unrecorded.
      maxRequeues: 0,
      requireTLS: config.SMTP_REQUIRE_TLS,
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      disableFileAccess: true,
      disableUrlAccess: true
    })
    return [
      {
        target: 'smtp',
        fingerprint: '',
        concurrency: config.SMTP_MAX_CONNECTIONS * 2,
        timeoutMs,
        async deliver(notification, { signal }) {
          const address = emailAddressOf(notification, template)
          if (address === undefined) {
            throw new SinkError(
              'RECIPIENT_INVALID',
              'SMTP_TO_TEMPLATE and the user id do not yield an e-mail address',
              {
                retryable: false
              }
            )
          }
          const { subject, text, html } = messageFor(notification, locale)
          await transport
            .sendMail({
              from,
              to: { name: '', address },
              subject,
              text,
              html,
              messageId: messageIDOf(notification.id, address, senderDomain),
              headers: { 'Auto-Submitted': 'auto-generated' }, // RFC 3834: prevents automatic replies
              signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
            })
            .catch(error => {
              throw toSinkError(error)
            })
        },
        async close() {
          transport.close()
        }
      }
    ]
  }
})

const advice = {
  SMTP_URL: 'set it to the address of the mail server, smtp://user:password@host:587',
  SMTP_FROM: 'set it to the sender, Shop <orders@shop.example>',
  SMTP_TO_TEMPLATE: "set it to the recipient's address with {userID} in it, {userID}@customers.example"
} as const

interface MailError extends Error {
  readonly code?: string
  readonly command?: string
  readonly responseCode?: number
  /** True if the server answered 5xx. */
  readonly permanent?: boolean
}

/**
 * Converts an error of the mail client. Only the rejection of a recipient or a message is
 * permanent; a rejected sender or login can be fixed in the settings.
 */
function toSinkError(error: MailError): SinkError {
  const concernsThisMail = error.command === 'RCPT TO' || error.command === 'DATA'
  const isRefused = error.permanent === true && concernsThisMail
  const code = error.responseCode === undefined ? (error.code ?? error.name) : `SMTP_${error.responseCode}`
  return new SinkError(code, error.message, { retryable: !isRefused, cause: error })
}
