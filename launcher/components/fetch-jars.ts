import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { jarsDirectory } from '../directories.ts'
import { runToEnd, type Supervisor } from '../processes/supervisor.ts'
import { fileNameOf, type LockedJar, readLock } from './jar-lock.ts'
import { areFetched, type Jars, jarsHome } from './jars.ts'
import { obtainLockedFiles } from './locked-files.ts'

export interface FetchOptions {
  readonly supervisor: Supervisor
  readonly say: (text: string) => void
}

/**
 * Downloads the jars that `launcher/jars/<name>/jars.lock` names from the local Maven repository,
 * Maven Central or the mirror in ORDERLY_MAVEN_REPOSITORY.
 * @throws UserError if a file cannot be downloaded or differs from the lock file
 */
export async function fetchJars(jars: Jars, { supervisor, say }: FetchOptions): Promise<void> {
  if (areFetched(jars)) return
  const files = readLock(jars.name)
  const fetched = await obtainLockedFiles(files, {
    directory: join(jarsDirectory, '.downloads'),
    mirror: process.env.ORDERLY_MAVEN_REPOSITORY,
    onBytes: progressOf(jars, files, say)
  })
  await mkdir(jarsDirectory, { recursive: true })
  // A folder with the final name is always complete.
  const unfinished = await mkdtemp(join(jarsDirectory, `.${jars.name}-`))
  try {
    for (const [index, file] of files.entries()) {
      const source = fetched[index] as string
      if (file.path.endsWith('.tar.gz')) {
        const args = ['-xzf', source, '-C', unfinished]
        await runToEnd(supervisor, { name: `unpack-${jars.name}`, command: 'tar', args })
      } else await copyFile(source, join(unfinished, fileNameOf(file)))
    }
    if (!existsSync(join(unfinished, jars.mainFile))) {
      throw new Error(`launcher/jars/${jars.name}/jars.lock does not name ${jars.mainFile}`)
    }
    await rename(unfinished, jarsHome(jars)).catch(error => {
      if (!areFetched(jars)) throw error
    })
    await Promise.all(fetched.map(path => rm(path, { force: true })))
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
}

/** Reports the start and every tenth of the download. The lock file contains the sizes. */
function progressOf({ name, version }: Jars, files: readonly LockedJar[], say: (text: string) => void) {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  const megabytes = (bytes: number) => Math.ceil(bytes / 1_000_000)
  let received = 0
  let reported = 0
  say(`fetching ${name} ${version}, ${megabytes(total)} MB, once`)
  return (count: number) => {
    received = Math.min(total, received + count)
    const tenth = Math.floor((10 * received) / total)
    if (tenth <= reported || tenth === 10) return
    reported = tenth
    say(`fetching ${name} ${version}, ${megabytes(received)} of ${megabytes(total)} MB`)
  }
}
