import { execFile } from 'node:child_process'
import { chmod, cp, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { UserError } from '../user-error.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'

const run = promisify(execFile)

export interface UnixUser {
  readonly uid: number
  readonly gid: number
}

/** Parameters for starting Postgres, which refuses to run as root. */
export interface PostgresHome {
  /** User that runs the processes and owns the data folder; undefined for the current user. */
  readonly user?: UnixUser
  readonly binaries: PostgresBinaries
  /** Path of the data folder as seen by a process started in it. */
  readonly dataPath: string
  /** Deletes temporary files of the process after it has ended. */
  release(): Promise<void>
}

/**
 * Plans how Postgres runs. If the current user is root, Postgres runs as the system user `postgres`
 * or else `nobody`, with no rights beyond those of that user. If that user cannot enter the folders
 * (a clone in /root), it does not need to:
 *
 * - The data folder is the working directory of the process, addressed as `/proc/self/cwd`.
 * - The programs are copied to a temporary folder, because Postgres must resolve the
 *   path of its program.
 */
export async function planPostgresHome(dataDirectory: string, binaries: PostgresBinaries): Promise<PostgresHome> {
  if (process.getuid?.() !== 0) return { binaries, dataPath: dataDirectory, release: async () => {} }
  const user = (await lookUp('postgres')) ?? (await lookUp('nobody'))
  if (user === undefined)
    throw new UserError(
      'Postgres refuses to run as root, and the user `nobody` does not exist: run this as another user.'
    )
  const [mayReachData, mayRunPrograms] = await Promise.all(
    [dataDirectory, binaries.postgres].map(path => mayEveryoneEnter(dirname(path)))
  )
  if (!mayReachData && process.platform !== 'linux') {
    throw new UserError(
      'Postgres refuses to run as root, and the user it would run as cannot enter this folder: move the project to a folder that other users can enter, or run it as another user.'
    )
  }
  const copy = mayRunPrograms ? undefined : await copyPrograms(binaries)
  return {
    user,
    binaries: copy?.binaries ?? binaries,
    dataPath: mayReachData ? dataDirectory : '/proc/self/cwd',
    release: async () => void (copy && (await rm(copy.directory, { recursive: true, force: true })))
  }
}

async function lookUp(name: string): Promise<UnixUser | undefined> {
  try {
    const [uid, gid] = await Promise.all(['-u', '-g'].map(async flag => Number((await run('id', [flag, name])).stdout)))
    return uid === undefined || gid === undefined ? undefined : { uid, gid }
  } catch {
    return undefined
  }
}

/** Checks the existing folders; folders that do not exist yet will be accessible. */
async function mayEveryoneEnter(directory: string): Promise<boolean> {
  const mode = await stat(directory).then(
    ({ mode }) => mode,
    () => 0o001
  )
  if ((mode & 0o001) === 0) return false
  const parent = dirname(directory)
  return parent === directory || mayEveryoneEnter(parent)
}

const prefix = 'orderly-postgres-'

/**
 * Copies the folder with `bin`, `lib` and `share` to a folder that everyone can read and only root
 * can change.
 */
async function copyPrograms({ postgres, initdb }: PostgresBinaries) {
  await removeLeftovers()
  const directory = await mkdtemp(join(tmpdir(), `${prefix}${process.pid}-`))
  await cp(dirname(dirname(postgres)), directory, { recursive: true, verbatimSymlinks: true })
  await chmod(directory, 0o755)
  const there = (path: string) => join(directory, path.slice(dirname(dirname(postgres)).length))
  return { directory, binaries: { postgres: there(postgres), initdb: there(initdb) } }
}

/** Removes the copies of killed launchers. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const [, pid] = /^orderly-postgres-(\d+)-/.exec(name) ?? []
    if (pid === undefined || isAlive(Number(pid))) continue
    const path = join(tmpdir(), name)
    if ((await stat(path).catch(() => undefined))?.uid === 0) await rm(path, { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
