import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKeystore, keystorePassword } from '../components/kafka-security.ts'
import { chooseJava, findJavas } from '../preflight/java.ts'

/** A key and its self-signed certificate for the loopback address, for a test server. */
export interface TestCertificate {
  readonly pfx: Buffer
  readonly passphrase: string
  /** Certificate as PEM, for NODE_EXTRA_CA_CERTS. */
  readonly certificateFile: string
}

export async function createCertificate(scope: {
  after(release: () => Promise<void>): void
}): Promise<TestCertificate> {
  const directory = await mkdtemp(join(tmpdir(), 'orderly-certificate-'))
  scope.after(() => rm(directory, { recursive: true }))
  const { keystoreFile, certificate } = await createKeystore(chooseJava(findJavas()), directory)
  const certificateFile = join(directory, 'certificate.pem')
  await writeFile(certificateFile, certificate)
  return { pfx: await readFile(keystoreFile), passphrase: keystorePassword, certificateFile }
}
