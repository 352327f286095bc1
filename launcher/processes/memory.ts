import { type ListedProcess, listProcesses } from './process-table.ts'

/**
 * Returns the resident memory of processes and all their descendants. Shared pages count once for
 * each process that maps them.
 */
export async function residentBytes(pids: readonly number[]): Promise<number> {
  return sumOfTrees(pids, await listProcesses())
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
