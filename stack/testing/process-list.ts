import { type ListedProcess, listProcesses, workDirectory } from '../processes/process-table.ts'

/** The processes that name a folder in their command line or work in it, but not the caller. */
export async function processesUnder(directory: string): Promise<ListedProcess[]> {
  const others = (await listProcesses()).filter(({ pid }) => pid !== process.pid)
  const areIn = await Promise.all(
    others.map(
      async ({ pid, command }) => command.includes(directory) || (await workDirectory(pid)).startsWith(directory)
    )
  )
  return others.filter((_, index) => areIn[index])
}
