import { execFile, execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

export interface ListedProcess {
  readonly pid: number
  readonly parentPID: number
  readonly residentKB: number
  readonly command: string
}

/** A small Linux has no `ps`, and macOS has no /proc. */
const hasProc = existsSync('/proc/self/status')

/** All processes of this machine. */
export async function listProcesses(): Promise<ListedProcess[]> {
  if (!hasProc) return parseTable((await promisify(execFile)('ps', [...psArguments], { maxBuffer: 2 ** 26 })).stdout)
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  // One that has ended since then is none.
  return (await Promise.all(pids.map(pid => readProc(pid).catch(() => [])))).flat()
}

/** Tells a process from a later one with the same id; undefined when there is none. */
export function startOfProcess(pid: number): string | undefined {
  try {
    if (!hasProc)
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
    // Behind the name in parentheses, which may be anything: the 20th word, in ticks since the system came up.
    const startedAtTicks = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/.*\) /s, '').split(' ')[19]
    return `${startedAtTicks} ${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}`
  } catch {
    return undefined
  }
}

const psArguments = ['-A', '-ww', '-o', 'pid=,ppid=,rss=,args=']

export function parseTable(table: string): ListedProcess[] {
  return table
    .trim()
    .split('\n')
    .map(line => {
      const [, pid, parentPID, residentKB, command = ''] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []
      return { pid: Number(pid), parentPID: Number(parentPID), residentKB: Number(residentKB), command }
    })
}

async function readProc(pid: string): Promise<ListedProcess[]> {
  const [status, command] = await Promise.all(
    ['status', 'cmdline'].map(file => readFile(`/proc/${pid}/${file}`, 'utf8'))
  )
  const figure = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status ?? '')?.[1] ?? 0)
  const words = command?.replaceAll('\0', ' ').trim() ?? ''
  return [{ pid: Number(pid), parentPID: figure('PPid'), residentKB: figure('VmRSS'), command: words }]
}
