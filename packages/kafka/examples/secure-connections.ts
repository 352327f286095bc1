/**
 * Example: connections with TLS and credentials. Certificates and keys are PEM text, not file names.
 *
 * A wrong password is the permanent error `AUTHENTICATION_FAILED`; a certificate that is not trusted
 * is `BROKER_UNAVAILABLE` with the reason of TLS in the message. An identity provider that does not
 * answer is the retryable error `TOKEN_UNAVAILABLE`.
 */
import type { KafkaConnection } from '@orderly/kafka'

/** SCRAM, as most self-managed clusters use it. `ca` is needed only for a private authority. */
export function scramConnection(brokers: readonly string[], password: string, ca?: string): KafkaConnection {
  return {
    brokers,
    clientID: 'billing',
    tls: ca === undefined ? {} : { ca },
    sasl: { mechanism: 'SCRAM-SHA-512', username: 'billing', password }
  }
}

/** Mutual TLS: the certificate of the client is its credential. */
export function mutualTLSConnection(
  brokers: readonly string[],
  { ca, cert, key }: { readonly ca: string; readonly cert: string; readonly key: string }
): KafkaConnection {
  return { brokers, clientID: 'billing', tls: { ca, cert, key } }
}

/** A client of an identity provider. */
export interface IdentityClient {
  readonly tokenURL: string
  readonly id: string
  readonly secret: string
}

/**
 * OAUTHBEARER, as managed clusters use it, with tokens of an identity provider (client credentials,
 * RFC 6749, section 4.4). Every new connection asks for a token, so one is kept until half of its
 * lifetime has passed.
 */
export function bearerConnection(brokers: readonly string[], client: IdentityClient, ca?: string): KafkaConnection {
  let kept: { readonly token: string; readonly untilMs: number } | undefined

  async function token(): Promise<string> {
    if (kept !== undefined && Date.now() < kept.untilMs) return kept.token
    const credentials = Buffer.from(`${client.id}:${client.secret}`).toString('base64')
    const answer = await fetch(client.tokenURL, {
      method: 'POST',
      headers: { authorization: `Basic ${credentials}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' })
    })
    if (!answer.ok) throw new Error(`the identity provider answered ${answer.status}`)
    const { access_token, expires_in } = (await answer.json()) as { access_token: string; expires_in: number }
    kept = { token: access_token, untilMs: Date.now() + expires_in * 500 }
    return access_token
  }

  return {
    brokers,
    clientID: client.id,
    tls: ca === undefined ? {} : { ca },
    sasl: { mechanism: 'OAUTHBEARER', token }
  }
}
