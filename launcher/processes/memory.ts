import { readFile } from 'node:fs/promises'
import { type ListedProcess, listProcesses } from './process-table.ts'

/**
 * Returns the resident memory of processes and all their descendants. On Linux, a page that several
 * processes map, such as a buffer of Postgres, is divided between them (proportional set size).
 * Elsewhere, it counts once for each process.
 */
export async function residentBytes(pids: readonly number[]): Promise<number> {
  const processes = await listProcesses()
  return sumOfTrees(
    pids,
    await Promise.all(
      processes.map(async process => ({
        ...process,
        residentKB: (await proportionalKB(process.pid)) ?? process.residentKB
      }))
    )
  )
}

/** Returns the proportional set size, or undefined if the system does not report it. */
async function proportionalKB(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '')
  const [, kB] = /^Pss: +(\d+) kB$/m.exec(text) ?? []
  return kB === undefined ? undefined : Number(kB)
}

export function sumOfTrees(
  roots: readonly number[],
  rows: readonly Pick<ListedProcess, 'pid' | 'parentPID' | 'residentKB'>[]
): number {
  const included = new Set(roots)
  for (let size = 0; size !== included.size; ) {
    size = included.size
    for (const row of rows) if (included.has(row.parentPID)) included.add(row.pid)
  }
  return rows.filter(row => included.has(row.pid)).reduce((sum, row) => sum + row.residentKB * 1024, 0)
}
