import { execFile } from 'node:child_process'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { projectDirectory } from '@orderly/launcher'
import { skip } from '@orderly/launcher/testing'

const run = promisify(execFile)

/**
 * Copies the latest release into a folder. The release is the last entry
 * of `launcher/releases.json` (version: commit), or the commit in `UPGRADE_FROM`.
 * @returns its name, or undefined after skipping the test because its commit cannot be had
 */
export async function checkOutRelease(test: TestContext, directory: string): Promise<string | undefined> {
  const [version, wanted] = await latestRelease()
  const name = `${version} (${wanted})`
  const commit = await findCommit(wanted).catch(() => undefined)
  if (commit === undefined) {
    const remedy = 'fetch it, or set UPGRADE_FROM to a commit that is there'
    return skip(test, new Error(`release ${name} is neither in this repository nor at its origin: ${remedy}`))
  }
  await mkdir(directory, { recursive: true })
  const archive = `${directory}.tar`
  await git('archive', '--format=tar', `--output=${archive}`, commit)
  await run('tar', ['-xf', archive, '-C', directory])
  return name
}

/** Installs the locked packages of a checkout if necessary, and migrates the database with its code. */
export async function migrateWith(directory: string, ownerURL: string): Promise<void> {
  const args = [join(directory, 'bootstrap.mjs'), 'deploy/setup/migrate.ts']
  await run(process.execPath, args, { cwd: directory, env: { ...process.env, DATABASE_OWNER_URL: ownerURL } })
}

async function latestRelease(): Promise<[version: string, commit: string]> {
  const { UPGRADE_FROM } = process.env
  if (UPGRADE_FROM) return ['UPGRADE_FROM', UPGRADE_FROM]
  const releases: Record<string, string> = await readJSON(join('launcher', 'releases.json'))
  const { version } = await readJSON<{ version: string }>('package.json')
  return Object.entries(releases).at(-1) ?? [version, `v${version}`]
}

async function readJSON<Content>(file: string): Promise<Content> {
  return JSON.parse(await readFile(join(projectDirectory, file), 'utf8'))
}

/** Returns a commit that exists here, or fetches it: a shallow clone has only the newest one. */
async function findCommit(name: string): Promise<string> {
  const resolve = (revision: string) => git('rev-parse', '--verify', '--quiet', `${revision}^{commit}`)
  return resolve(name).catch(async () => {
    await git('fetch', '--depth=1', 'origin', name)
    return resolve('FETCH_HEAD')
  })
}

async function git(...args: string[]): Promise<string> {
  const env = { ...process.env, GIT_TERMINAL_PROMPT: '0' }
  return (await run('git', args, { cwd: projectDirectory, env, timeout: 120_000 })).stdout.trim()
}
