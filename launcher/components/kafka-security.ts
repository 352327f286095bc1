import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Java } from '../preflight/java.ts'
import { loopback } from '../processes/ports.ts'

/** An additional listener of a broker with TLS and SASL (PLAIN or SCRAM), as in real clusters. */
export interface SecureListener {
  readonly port: number
  readonly keystoreFile: string
  readonly users: Readonly<Record<string, string>>
  /**
   * Refuses everything on this listener that is not granted. Only the broker and `admin` have all
   * rights.
   */
  readonly denyByDefault?: boolean
}

export const secureListenerName = 'SECURE'
export const keystorePassword = 'orderly-on-loopback'
const scramMechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA-512']

export function secureProperties({ keystoreFile, users, denyByDefault }: SecureListener): Record<string, string> {
  const listener = `listener.name.${secureListenerName.toLowerCase()}`
  const accounts = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`)
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required ${accounts.join(' ')};`
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  return {
    ...(denyByDefault && {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'allow.everyone.if.no.acl.found': 'false',
      // ANONYMOUS is the brokers themselves, which use a separate listener.
      'super.users': 'User:ANONYMOUS;User:admin'
    }),
    [`${listener}.sasl.enabled.mechanisms`]: ['PLAIN', ...scramMechanisms].join(','),
    [`${listener}.plain.sasl.jaas.config`]: plain,
    [`${listener}.scram-sha-256.sasl.jaas.config`]: scram,
    [`${listener}.scram-sha-512.sasl.jaas.config`]: scram,
    [`${listener}.ssl.keystore.location`]: keystoreFile,
    [`${listener}.ssl.keystore.password`]: keystorePassword
  }
}

/** Returns the arguments that create the SCRAM accounts when the cluster's storage is formatted. */
export function secureFormatArguments({ users }: SecureListener): string[] {
  return Object.entries(users).flatMap(([name, password]) =>
    scramMechanisms.flatMap(mechanism => ['--add-scram', `${mechanism}=[name=${name},password=${password}]`])
  )
}

/**
 * Creates a key and a self-signed certificate for the loopback address.
 * @returns the keystore's path and the certificate as PEM
 */
export async function createKeystore(
  java: Java,
  directory: string
): Promise<{ keystoreFile: string; certificate: string }> {
  const keystoreFile = join(directory, 'broker.p12')
  const keytool = (...args: string[]) =>
    promisify(execFile)(join(java.home, 'bin', 'keytool'), [
      ...args,
      '-keystore',
      keystoreFile,
      '-storepass',
      keystorePassword,
      '-alias',
      'broker'
    ])
  if (!existsSync(keystoreFile)) {
    const names = ['-dname', 'CN=localhost', '-ext', `san=dns:localhost,ip:${loopback}`]
    await keytool(
      '-genkeypair',
      '-keyalg',
      'EC',
      '-groupname',
      'secp256r1',
      '-validity',
      '30',
      '-storetype',
      'PKCS12',
      ...names
    )
  }
  const { stdout: certificate } = await keytool('-exportcert', '-rfc')
  return { keystoreFile, certificate }
}
