import { type ListedProcess, listProcesses, workDirectory } from '../processes/process-table.ts'

/**
 * Returns the processes that have a folder in their command line or as working directory, except
 * the current process.
 */
export async function processesUnder(directory: string): Promise<ListedProcess[]> {
  const others = (await listProcesses()).filter(({ pid }) => pid !== process.pid)
  const areIn = await Promise.all(
    others.map(
      async ({ pid, command }) => command.includes(directory) || (await workDirectory(pid)).startsWith(directory)
    )
  )
  return others.filter((_, index) => areIn[index])
}
