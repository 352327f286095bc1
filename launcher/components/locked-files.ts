import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import artifactURL from 'mvn-artifact-url'
import { UserError } from '../user-error.ts'
import type { LockedJar } from './jar-lock.ts'

const parallelDownloads = 6
const attempts = 3
const stalledAfterMs = 60_000

export interface LockedFilesOptions {
  /** Stores the files by their SHA-256, across commands and interrupted downloads. */
  readonly directory: string
  /** Local Maven repository, whose files are used if they match the lock file. */
  readonly localRepository?: string
  /** Address of a Maven repository; Maven Central by default. */
  readonly mirror?: string | undefined
  /** Reports the number of received bytes. */
  readonly onBytes?: (count: number) => void
}

/**
 * Obtains all files. A file from any source is accepted only with the size and SHA-256 in the lock
 * file.
 * @returns the path of each file
 * @throws UserError that names a file that cannot be downloaded or differs from the lock file
 */
export async function obtainLockedFiles(files: readonly LockedJar[], options: LockedFilesOptions): Promise<string[]> {
  await mkdir(options.directory, { recursive: true })
  const waiting = [...files]
  const worker = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) await obtain(file, options)
  }
  await Promise.all(Array.from({ length: parallelDownloads }, worker))
  return files.map(({ sha256 }) => join(options.directory, sha256))
}

async function obtain(file: LockedJar, options: LockedFilesOptions): Promise<void> {
  const { directory, localRepository = join(homedir(), '.m2', 'repository'), onBytes = () => {} } = options
  const target = join(directory, file.sha256)
  if (await isVerified(target, file)) {
    onBytes(file.bytes)
    return
  }
  const partial = `${target}.${process.pid}.part`
  const local = join(localRepository, file.path)
  if (await isVerified(local, file)) {
    await copyFile(local, partial)
    onBytes(file.bytes)
  } else {
    await adoptPartial(directory, file, partial)
    await download(file, await addressOf(file, options.mirror), { partial, onBytes })
  }
  await rename(partial, target)
}

interface Download {
  readonly partial: string
  readonly onBytes: (count: number) => void
}

async function download(file: LockedJar, address: string, { partial, onBytes }: Download): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await receive(file, address, { partial, onBytes })
      break
    } catch (error) {
      if (attempt < attempts) continue
      const { message, cause } = error as Error
      const reason = cause instanceof Error && cause.message !== '' ? cause.message : message
      throw new UserError(
        `${address} could not be downloaded (${reason}): run the command again once it is reachable, or set ` +
          'ORDERLY_MAVEN_REPOSITORY to the address of a mirror.'
      )
    }
  }
  if (await isVerified(partial, file)) return
  await rm(partial, { force: true })
  throw new UserError(
    `${address} differs from the file in jars.lock (SHA-256) and was deleted: do not use this source.`
  )
}

async function receive(file: LockedJar, address: string, { partial, onBytes }: Download): Promise<void> {
  const present = (await stat(partial).catch(() => undefined))?.size ?? 0
  if (present >= file.bytes) return
  const stalled = new AbortController()
  let timer = setTimeout(() => stalled.abort(), stalledAfterMs)
  try {
    const headers: Record<string, string> = present === 0 ? {} : { range: `bytes=${present}-` }
    const response = await fetch(address, { headers, signal: stalled.signal })
    if (!response.ok || response.body === null) throw new Error(`HTTP ${response.status}`)
    const isContinued = response.status === 206
    let received = isContinued ? present : 0
    if (isContinued) onBytes(present)
    const counted = Readable.fromWeb(response.body).map((chunk: Buffer) => {
      clearTimeout(timer)
      timer = setTimeout(() => stalled.abort(), stalledAfterMs)
      received += chunk.length
      if (received > file.bytes) throw new Error(`more than the ${file.bytes} bytes of jars.lock arrived`)
      onBytes(chunk.length)
      return chunk
    })
    await pipeline(counted, createWriteStream(partial, { flags: isContinued ? 'a' : 'w' }))
    if (received < file.bytes) throw new Error(`only ${received} of ${file.bytes} bytes arrived`)
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Continues a partial download that an ended command left. Two running commands never write to the
 * same file.
 */
async function adoptPartial(directory: string, { sha256 }: LockedJar, partial: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const [, pid] = name.startsWith(sha256) ? (/\.(\d+)\.part$/.exec(name) ?? []) : []
    if (pid === undefined || isAlive(Number(pid))) continue
    await rename(join(directory, name), partial).catch(() => {})
    return
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function isVerified(path: string, { bytes, sha256 }: LockedJar): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  if (found?.size !== bytes) return false
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex') === sha256
}

async function addressOf({ path }: LockedJar, mirror: string | undefined): Promise<string> {
  if (mirror) return `${mirror.replace(/\/$/, '')}/${path}`
  // The package knows the address of Maven Central.
  const address = await artifactURL.default({ groupId: 'a', artifactId: 'a', version: '1', isSnapShot: false })
  return `${address.slice(0, address.indexOf('a/a/1/'))}${path}`
}
