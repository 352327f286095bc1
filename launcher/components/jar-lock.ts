import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

export const jarsSources = join(import.meta.dirname, '..', 'jars')

/** A file of a Maven repository. */
export interface LockedJar {
  /** Path below the address of the repository. */
  readonly path: string
  readonly bytes: number
  readonly sha256: string
}

export interface JarLock {
  /** SHA-256 of the `pom.xml` that Maven resolved. */
  readonly pomSHA256: string
  readonly jars: readonly LockedJar[]
}

const firstLine = /^# Written by `npm run lock-jars` from pom\.xml ([0-9a-f]{64}): do not edit\.$/

/** Formats one line per file: SHA-256, size in bytes, path. */
export function formatLock({ pomSHA256, jars }: JarLock): string {
  const lines = jars.map(({ path, bytes, sha256 }) => `${sha256}  ${bytes}  ${path}\n`)
  return `# Written by \`npm run lock-jars\` from pom.xml ${pomSHA256}: do not edit.\n${lines.join('')}`
}

/**
 * Reads the files of a lock.
 * @throws Error for a lock that is missing, malformed or older than its `pom.xml`
 */
export function readLock(name: string, directory = jarsSources): LockedJar[] {
  const remedy = `run \`npm run lock-jars -- ${name}\``
  const [first = '', ...lines] = readFileSync(join(directory, name, 'jars.lock'), 'utf8')
    .trimEnd()
    .split('\n')
  const [, pomSHA256] = firstLine.exec(first) ?? []
  const pom = createHash('sha256')
    .update(readFileSync(join(directory, name, 'pom.xml')))
    .digest('hex')
  if (pomSHA256 !== pom) throw new Error(`launcher/jars/${name}/jars.lock does not match its pom.xml: ${remedy}`)
  return lines.map((line, index) => {
    const [, sha256, bytes, path] = /^([0-9a-f]{64}) {2}(\d+) {2}([\w./+-]+)$/.exec(line) ?? []
    if (sha256 === undefined || path === undefined || path.split('/').includes('..')) {
      throw new Error(`launcher/jars/${name}/jars.lock, line ${index + 2}, is malformed: ${remedy}`)
    }
    return { path, bytes: Number(bytes), sha256 }
  })
}

export function fileNameOf({ path }: LockedJar): string {
  return basename(path)
}
