import { execFile, execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { promisify } from 'node:util'

export interface ListedProcess {
  readonly pid: number
  readonly parentPID: number
  readonly residentKB: number
  readonly command: string
  /** True if the process has ended and its parent has not read its exit code yet. */
  readonly isZombie: boolean
}

/** True on Linux, where `ps` may be missing. macOS has no /proc. */
const hasProc = existsSync('/proc/self/status')

/** Returns all processes of this machine. */
export async function listProcesses(): Promise<ListedProcess[]> {
  if (!hasProc) return parseTable((await promisify(execFile)('ps', [...psArguments], { maxBuffer: 2 ** 26 })).stdout)
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  // A process that has ended since then is left out.
  return (await Promise.all(pids.map(pid => readProc(pid).catch(() => [])))).flat()
}

/**
 * Returns the working directory of a process; empty if it cannot be read (other systems than Linux,
 * or no permission).
 */
export function workDirectory(pid: number): Promise<string> {
  return readlink(`/proc/${pid}/cwd`).catch(() => '')
}

/**
 * Returns a value that distinguishes a process from a later one with the same id. Returns undefined
 * if the process does not exist or is a zombie.
 */
export function startOfProcess(pid: number): string | undefined {
  try {
    if (!hasProc) {
      const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' })
      const [, state, startedAt] = /^\s*(\S+)\s+(.*\S)/.exec(line) ?? []
      return state?.startsWith('Z') ? undefined : startedAt
    }
    // Splits the fields after the name, which is in parentheses and may contain anything. The first
    // is the state; the 20th is the start in ticks since boot.
    const words = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/.*\) /s, '').split(' ')
    return words[0] === 'Z'
      ? undefined
      : `${words[19]} ${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}`
  } catch {
    return undefined
  }
}

const psArguments = ['-A', '-ww', '-o', 'pid=,ppid=,rss=,stat=,args=']

export function parseTable(table: string): ListedProcess[] {
  return table
    .trim()
    .split('\n')
    .map(line => {
      const [, pid, parentPID, residentKB, state, command = ''] =
        /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? []
      const isZombie = state?.startsWith('Z') ?? false
      return { pid: Number(pid), parentPID: Number(parentPID), residentKB: Number(residentKB), isZombie, command }
    })
}

async function readProc(pid: string): Promise<ListedProcess[]> {
  const [status, command] = await Promise.all(
    ['status', 'cmdline'].map(file => readFile(`/proc/${pid}/${file}`, 'utf8'))
  )
  const figure = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status ?? '')?.[1] ?? 0)
  const words = command?.replaceAll('\0', ' ').trim() ?? ''
  const isZombie = /^State:\s*Z/m.test(status ?? '')
  return [{ pid: Number(pid), parentPID: figure('PPid'), residentKB: figure('VmRSS'), isZombie, command: words }]
}
