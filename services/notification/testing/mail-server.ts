import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'

export interface ReceivedMail {
  readonly from: string
  readonly to: readonly string[]
  /** By lower-case name, unfolded. */
  readonly headers: ReadonlyMap<string, string>
  /** The mail as received. */
  readonly source: string
}

export interface MailServer {
  readonly url: string
  readonly mails: ReceivedMail[]
}

export interface MailServerOptions extends SMTPServerOptions {
  /** Called when a mail has been received, before the server confirms it. */
  readonly onMail?: (mail: ReceivedMail) => Promise<void> | void
}

/** Starts a real SMTP server on a free loopback port. */
export async function startMailServer(
  scope: { after(release: () => Promise<void>): void },
  { onMail, ...options }: MailServerOptions = {}
): Promise<MailServer> {
  const mails: ReceivedMail[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    closeTimeout: 10, // clients keep their connections
    ...options,
    onData(stream, session, callback) {
      receive(stream)
        .then(async source => {
          const { mailFrom, rcptTo } = session.envelope
          const from = mailFrom === false ? '' : mailFrom.address
          const mail = { from, to: rcptTo.map(({ address }) => address), headers: headersOf(source), source }
          mails.push(mail)
          await onMail?.(mail)
        })
        .then(() => callback(), callback)
    }
  })
  server.on('error', () => {}) // a killed client resets its connection
  const listening = server.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  scope.after(() => new Promise<void>(resolve => server.close(() => resolve())))
  return { url: `smtp://127.0.0.1:${(listening.address() as AddressInfo).port}`, mails }
}

async function receive(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function headersOf(source: string): Map<string, string> {
  const head = source.slice(0, source.indexOf('\r\n\r\n')).replaceAll(/\r\n[ \t]+/g, ' ')
  return new Map(
    head.split('\r\n').map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)])
  )
}
