/**
 * Example: connections with TLS and credentials. Certificates and keys are PEM text, not file names.
 *
 * A wrong password is the permanent error `AUTHENTICATION_FAILED`; a certificate that is not trusted
 * is `BROKER_UNAVAILABLE` with the reason of TLS in the message.
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
