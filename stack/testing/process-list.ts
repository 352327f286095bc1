import { execFile } from 'node:child_process'
import { readlink } from 'node:fs/promises'
import { promisify } from 'node:util'

export interface ListedProcess {
  readonly pid: number
  readonly parentPID: number
  readonly command: string
}

/** The processes that name a folder in their command line or work in it, but not the caller. */
export async function processesUnder(directory: string): Promise<ListedProcess[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-ww', '-o', 'pid=,ppid=,args='])
  const all = stdout
    .trim()
    .split('\n')
    .map(line => {
      const [, pid, parentPID, command = ''] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []
      return { pid: Number(pid), parentPID: Number(parentPID), command }
    })
    .filter(({ pid }) => pid !== process.pid)
  const areIn = await Promise.all(
    all.map(async ({ pid, command }) => command.includes(directory) || (await workDirectory(pid)).startsWith(directory))
  )
  return all.filter((_, index) => areIn[index])
}

/** Linux only; elsewhere the command line has to do. */
function workDirectory(pid: number): Promise<string> {
  return readlink(`/proc/${pid}/cwd`).catch(() => '')
}
