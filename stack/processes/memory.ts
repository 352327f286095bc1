import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Resident memory of a process and all its descendants; shared pages count once for each process that maps them. */
export async function residentBytes(pids: readonly number[]): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,rss='])
  return sumOfTrees(pids, parseProcesses(stdout))
}

interface ProcessRow {
  readonly pid: number
  readonly parentPID: number
  readonly residentKB: number
}

export function parseProcesses(table: string): ProcessRow[] {
  return table
    .trim()
    .split('\n')
    .map(line => line.trim().split(/\s+/).map(Number))
    .map(([pid = 0, parentPID = 0, residentKB = 0]) => ({ pid, parentPID, residentKB }))
}

export function sumOfTrees(roots: readonly number[], rows: readonly ProcessRow[]): number {
  const included = new Set(roots)
  for (let size = 0; size !== included.size; ) {
    size = included.size
    for (const row of rows) if (included.has(row.parentPID)) included.add(row.pid)
  }
  return rows.filter(row => included.has(row.pid)).reduce((sum, row) => sum + row.residentKB * 1024, 0)
}
