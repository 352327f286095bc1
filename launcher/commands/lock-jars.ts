/**
 * Writes `launcher/jars/<name>/jars.lock` for each `pom.xml`: the files that Maven resolves, with size
 * and SHA-256. Needs Maven; run it after each change of a `pom.xml`. `npm start` accepts only files
 * named in the locks.
 */
import { createHash } from 'node:crypto'
import { globSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CommandSpec } from '@orderly/command-line'
import { formatLock, jarsSources, type LockedJar } from '../components/jar-lock.ts'
import { orderlyDirectory } from '../directories.ts'
import { runToEnd, type Supervisor } from '../processes/supervisor.ts'
import { runCommand } from './command.ts'

const spec: CommandSpec = {
  name: 'npm run lock-jars --',
  summary: 'resolve the jars of each pom.xml with Maven and lock them by their checksums',
  argument: '[NAME...]',
  examples: ['npm run lock-jars', 'npm run lock-jars -- connect'],
  options: {}
}

await runCommand(spec, async ({ positionals, supervise }) => {
  const supervisor = supervise(orderlyDirectory)
  const present = (await readdir(jarsSources, { withFileTypes: true })).filter(entry => entry.isDirectory())
  const names = positionals.length > 0 ? positionals : present.map(({ name }) => name)
  for (const name of names) {
    const jars = await resolveJars(supervisor, join(jarsSources, name, 'pom.xml'))
    const pom = await readFile(join(jarsSources, name, 'pom.xml'))
    await writeFile(join(jarsSources, name, 'jars.lock'), formatLock({ pomSHA256: sha256(pom), jars }))
    process.stdout.write(`${name}: ${jars.length} files\n`)
  }
  return 0
})

async function resolveJars(supervisor: Supervisor, pom: string): Promise<LockedJar[]> {
  const directory = await mkdtemp(join(tmpdir(), 'orderly-lock-'))
  try {
    const layout = ['-Dmdep.useRepositoryLayout=true', '-Dmdep.copyPom=false', `-DoutputDirectory=${directory}`]
    const args = [
      '--batch-mode',
      '--quiet',
      '--strict-checksums',
      '--file',
      pom,
      'dependency:copy-dependencies',
      ...layout
    ]
    await runToEnd(supervisor, { name: 'maven', command: 'mvn', args })
    const paths = globSync('**/*.{jar,tar.gz}', { cwd: directory }).toSorted()
    return await Promise.all(
      paths.map(async path => {
        const content = await readFile(join(directory, path))
        return { path, bytes: content.length, sha256: sha256(content) }
      })
    )
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}
