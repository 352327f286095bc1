import { checkOneOf, checkPositiveIntegers, checkText, invalidOption, secretOption } from './options.ts'

/** Addresses of the cluster and credentials of this client; certificates and keys are PEM text. */
export interface KafkaConnection {
  /** Addresses as `host:port`, at least one. */
  readonly brokers: readonly string[]
  /** Name of this program in logs, metrics and quotas of brokers. */
  readonly clientID: string
  /**
   * Maximum age of cached facts about the cluster (partitions, leaders, coordinators) before they
   * are queried again.
   */
  readonly metadataMaxAgeMs?: number
  /**
   * TLS: `{}` for certificates of public authorities. `ca` has other authorities; `cert` and `key`
   * identify this client.
   */
  readonly tls?: {
    readonly ca?: string
    readonly cert?: string
    readonly key?: string
    readonly rejectUnauthorized?: boolean
  }
  /** Login; by default there is none. */
  readonly sasl?: PasswordLogin | TokenLogin
}

/** Login with a user name and a password. */
export interface PasswordLogin {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  readonly username: string
  readonly password: string
}

/**
 * Login with a bearer token (KIP-255), as managed clusters use it: an access token of an identity
 * provider, or a signed one of AWS MSK.
 *
 * Every new connection asks for a token; a program has some connections to each broker. If the
 * broker reports when the login expires, the connection is replaced by a new one after four fifths
 * of that time. Requests in flight on the former one finish there, so nothing fails.
 */
export interface TokenLogin {
  readonly mechanism: 'OAUTHBEARER'
  /**
   * Returns a token that is valid now; must keep a token until shortly before it expires if making
   * one is expensive. A rejection, or no answer within 8 seconds, is the retryable error
   * `TOKEN_UNAVAILABLE`: a stage and a producer ask again. A token that the broker rejects is the
   * permanent error `AUTHENTICATION_FAILED`.
   */
  readonly token: () => Promise<string> | string
  /** SASL extensions (KIP-342), such as `logicalCluster` and `identityPoolId` of Confluent Cloud. */
  readonly extensions?: Readonly<Record<string, string>>
}

const passwordMechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']

/** Checks a connection. @throws KafkaError `INVALID_OPTION`, which names the option */
export function assertValidConnection(connection: KafkaConnection): void {
  if (typeof connection !== 'object' || connection === null)
    throw invalidOption('connection', 'an object with brokers and clientID', connection)
  const { brokers, clientID, metadataMaxAgeMs, tls, sasl } = connection
  if (!Array.isArray(brokers) || brokers.length === 0)
    throw invalidOption('connection.brokers', 'a list of at least one host:port', brokers)
  for (const address of brokers) checkText('connection.brokers', address)
  checkText('connection.clientID', clientID)
  checkPositiveIntegers({ 'connection.metadataMaxAgeMs': metadataMaxAgeMs })
  if (tls !== undefined) assertValidTLS(tls)
  if (sasl !== undefined) assertValidLogin(sasl)
}

function assertValidTLS(tls: NonNullable<KafkaConnection['tls']>): void {
  if (typeof tls !== 'object' || tls === null) throw invalidOption('connection.tls', 'an object, {} for TLS alone', tls)
  for (const name of ['ca', 'cert', 'key'] as const) {
    if (tls[name] !== undefined && typeof tls[name] !== 'string')
      throw secretOption(`connection.tls.${name}`, 'text in PEM format, not a file name or bytes')
  }
}

function assertValidLogin(sasl: NonNullable<KafkaConnection['sasl']>): void {
  if (typeof sasl !== 'object' || sasl === null) throw secretOption('connection.sasl', 'an object with a mechanism')
  checkOneOf('connection.sasl.mechanism', sasl.mechanism ?? null, [...passwordMechanisms, 'OAUTHBEARER'])
  if (sasl.mechanism !== 'OAUTHBEARER') {
    for (const name of ['username', 'password'] as const)
      if (typeof sasl[name] !== 'string') throw secretOption(`connection.sasl.${name}`, 'text')
    return
  }
  if (typeof sasl.token !== 'function')
    throw secretOption('connection.sasl.token', 'a function that returns a token or a promise of one')
  for (const [name, value] of Object.entries(sasl.extensions ?? {})) {
    // The grammar of RFC 7628, section 3.1; `auth` is the token.
    if (!/^[A-Za-z]+$/.test(name) || name === 'auth' || typeof value !== 'string' || !/^[\t\n\r -~]*$/.test(value))
      throw invalidOption('connection.sasl.extensions', 'names of letters other than "auth" with printable text', name)
  }
}
