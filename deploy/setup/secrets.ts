/**
 * Generates the passwords and certificates of the compose file, each once. `ORDERLY_SECRETS` has a
 * folder for each database role, for Grafana, and for the server and the clients of each API with
 * TLS. The compose file has one volume per folder, and a container mounts only the volumes that it
 * needs. With the argument `folders` it only creates the folders, in the image: a new volume
 * inherits its owner from them.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { databaseURLOf, replaceFile } from '@orderly/service-kit'
import forge from 'node-forge'
import { secretFolders, securedServers, serverFolders, serverUser } from '../postgres/secret-folders.ts'

const directory = process.env.ORDERLY_SECRETS
if (directory === undefined) throw new Error('ORDERLY_SECRETS is not set: set it to the folder of the secrets')
const onlyFolders = process.argv[2] === 'folders'
const certificateYears = 10
/** Type of a name in `subjectAltName` (RFC 5280, 4.2.1.6). */
const dnsName = 2
/**
 * Password of keystores, as in deploy/connect/worker.properties. Java requires one; access to the
 * key is controlled by mounting the volume.
 */
const keystorePassword = 'orderly'

const newPassword = () => randomBytes(32).toString('base64url')

/** Creates a folder. @returns a function that writes a file of it */
function openFolder(folder: string): (name: string, content: string | Buffer) => void {
  const path = join(directory as string, folder)
  mkdirSync(path, { recursive: true })
  // Readable for the users of other images; access is controlled by mounting the volume.
  return (name, content) => replaceFile(join(path, name), content, 0o444)
}

/** Returns true if a folder has all its files: the password is written last. */
const isComplete = (folder: string) => existsSync(join(directory as string, folder, 'password'))

for (const { folder, role } of secretFolders) {
  const write = openFolder(folder)
  if (onlyFolders || isComplete(folder)) continue
  const password = newPassword()
  if (role !== undefined) {
    const url = databaseURLOf({ address: 'postgres:5432', passwords: { [role]: password } }, role)
    write('database-url', url)
    write('registry.properties', `apicurio.datasource.username=${role}\napicurio.datasource.password=${password}\n`)
  }
  write('password', password)
}

for (const server of securedServers) {
  const folders = serverFolders(server)
  const [writeServer, writeClient] = [openFolder(folders.server), openFolder(folders.client)]
  // A server and its clients have one password, so both folders are generated together.
  if (onlyFolders || (isComplete(folders.server) && isComplete(folders.client))) continue
  const password = newPassword()
  const { key, certificate, keystore } = newCertificate(server)
  writeServer('tls.key', key)
  writeServer('tls.crt', certificate)
  writeServer('tls.p12', keystore)
  writeServer('users.properties', `${serverUser}=${password}\n`)
  writeServer('quarkus.properties', `quarkus.security.users.embedded.users.${serverUser}=${password}\n`)
  writeClient('ca.crt', certificate)
  writeClient('password', password)
  writeServer('password', password)
}

/**
 * Creates a key and a self-signed certificate for the server's name in the network of the compose
 * file, as PEM and as a PKCS #12 keystore.
 */
function newCertificate(server: string): { key: string; certificate: string; keystore: Buffer } {
  const { pki } = forge
  const { publicKey, privateKey } = pki.rsa.generateKeyPair({ bits: 2048 })
  const certificate = pki.createCertificate()
  certificate.publicKey = publicKey
  // Begins with a zero bit, because serial numbers are positive (RFC 5280, 4.1.2.2).
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`
  certificate.validity.notAfter.setFullYear(certificate.validity.notBefore.getFullYear() + certificateYears)
  const subject = [{ name: 'commonName', value: server }]
  certificate.setSubject(subject)
  certificate.setIssuer(subject)
  const altNames = [server, 'localhost'].map(value => ({ type: dnsName, value }))
  certificate.setExtensions([
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'subjectAltName', altNames }
  ])
  certificate.sign(privateKey, forge.md.sha256.create())
  const keystore = forge.pkcs12.toPkcs12Asn1(privateKey, [certificate], keystorePassword, { algorithm: '3des' })
  return {
    key: pki.privateKeyToPem(privateKey),
    certificate: pki.certificateToPem(certificate),
    keystore: Buffer.from(forge.asn1.toDer(keystore).getBytes(), 'binary')
  }
}
