import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { Refusal } from '../refusal.ts'

const run = promisify(execFile)

/** How to start Postgres, which refuses to run as root. */
export interface PostgresUserPlan {
  /** What to start the process as; absent where the prefix sees to it or where nothing is needed. */
  readonly user?: { readonly uid: number; readonly gid: number }
  /** Who must own the data folder, if not the one who runs this. */
  readonly owner?: { readonly uid: number; readonly gid: number }
  /** A command that starts the rest of the line. */
  readonly prefix: readonly string[]
}

/**
 * As root, Postgres runs as the system's user `postgres` or else `nobody`. Where that user may not enter the folders
 * (a clone in /root), it gets the one capability that lets it, which needs Linux and util-linux's `setpriv`.
 */
export async function planPostgresUser(paths: readonly string[]): Promise<PostgresUserPlan> {
  if (process.getuid?.() !== 0) return { prefix: [] }
  const user = (await lookUp('postgres')) ?? (await lookUp('nobody'))
  if (user === undefined)
    throw new Refusal('Postgres refuses to run as root and there is no user `nobody`: run this as another user.')
  if ((await Promise.all(paths.map(path => mayEveryoneEnter(dirname(path))))).every(Boolean)) {
    return { user, owner: user, prefix: [] }
  }
  const capability = '+dac_override'
  const prefix = [
    'setpriv',
    `--reuid=${user.uid}`,
    `--regid=${user.gid}`,
    '--clear-groups',
    // Without it access(2), with which initdb looks for postgres, disregards the capability.
    '--securebits=+no_setuid_fixup',
    `--inh-caps=${capability}`,
    `--ambient-caps=${capability}`,
    '--'
  ]
  const works = await run(prefix[0] as string, [...prefix.slice(1), 'true']).then(
    () => true,
    () => false
  )
  if (!works) {
    throw new Refusal(
      'Postgres refuses to run as root, and the user it would run as may not enter this folder: move the project out of folders that only root may enter, or run it as another user.'
    )
  }
  return { owner: user, prefix }
}

async function lookUp(name: string): Promise<{ uid: number; gid: number } | undefined> {
  try {
    const [uid, gid] = await Promise.all(['-u', '-g'].map(async flag => Number((await run('id', [flag, name])).stdout)))
    return uid === undefined || gid === undefined ? undefined : { uid, gid }
  } catch {
    return undefined
  }
}

/** Of the folders that exist: what is yet to be created can be entered. */
async function mayEveryoneEnter(directory: string): Promise<boolean> {
  const mode = await stat(directory).then(
    ({ mode }) => mode,
    () => 0o001
  )
  if ((mode & 0o001) === 0) return false
  const parent = dirname(directory)
  return parent === directory || mayEveryoneEnter(parent)
}
