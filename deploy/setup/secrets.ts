/**
 * Generates the passwords and certificates of the compose file, each once. `ORDERLY_SECRETS` has a folder for each database role, for
 * Grafana, and for the servers and the clients of APIs with TLS. The compose file mounts a volume for each folder, and a container mounts
 * only the volumes that it needs. With the argument `folders` it only creates the folders, in the image: a new volume takes its owner
 * from there.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { databaseURLOf } from '@orderly/service-kit'
import forge from 'node-forge'
import { secretFolders, securedServers, serverFolders, serverUser } from '../postgres/secret-folders.ts'

const directory = process.env.ORDERLY_SECRETS
if (directory === undefined) throw new Error('ORDERLY_SECRETS is not set: set it to the folder of the secrets')
const onlyFolders = process.argv[2] === 'folders'
const certificateYears = 10
/** Type of a name in `subjectAltName` (RFC 5280, 4.2.1.6). */
const dnsName = 2
/** Java opens no keystore without one; the volume protects the key. It is in deploy/connect/worker.properties, too. */
const keystorePassword = 'orderly'

const newPassword = () => randomBytes(32).toString('base64url')

/** Creates a folder. @returns a function that writes a file of it, whole or not at all */
function openFolder(folder: string): (name: string, content: string | Buffer) => void {
  const path = join(directory as string, folder)
  mkdirSync(path, { recursive: true })
  return (name, content) => {
    // Readable for the users of other images; access is controlled by mounting the volume.
    rmSync(join(path, `${name}.new`), { force: true })
    writeFileSync(join(path, `${name}.new`), content, { mode: 0o444 })
    renameSync(join(path, `${name}.new`), join(path, name))
  }
}

/** Returns true if all files of a folder are there: the password is written last. */
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
  // Written last: its presence means that the other files are complete.
  write('password', password)
}

for (const server of securedServers) {
  const folders = serverFolders(server)
  const [writeServer, writeClient] = [openFolder(folders.server), openFolder(folders.client)]
  // A server and its clients have one password: if one part is missing, both are generated again.
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

/** Creates a key and its self-signed certificate for the server's name in the network of the compose file, also as a PKCS #12 keystore. */
function newCertificate(server: string): { key: string; certificate: string; keystore: Buffer } {
  const { pki } = forge
  const { publicKey, privateKey } = pki.rsa.generateKeyPair({ bits: 2048 })
  const certificate = pki.createCertificate()
  certificate.publicKey = publicKey
  // The first bit is 0, as a serial number is positive.
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
