import { readFile } from 'node:fs/promises'

/** Of a clock tick of the kernel's accounting; 100 a second wherever Linux runs. */
const ticksPerSecond = 100

/**
 * Processor time that a process has used up to now, all its threads together, in seconds. On a machine that is shared with others this
 * says more than the time on the wall.
 * @returns undefined where there is no /proc (macOS), or no such process
 */
export async function cpuSecondsOf(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : parseCPUSeconds(text)
}

/** The 14th and 15th field of proc(5) stat; the second one, the name, may hold blanks and parentheses. */
export function parseCPUSeconds(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

export async function residentMBOf(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const found = /^VmRSS:\s+(\d+) kB/m.exec(text)
  return found === null ? undefined : Number(found[1]) / 1024
}

/** What `work` cost each of these processes, in seconds; those that cannot be read are left out. */
export async function costOf<Result>(
  pids: Readonly<Record<string, number>>,
  work: () => Promise<Result>
): Promise<{ result: Result; cpuSeconds: Record<string, number> }> {
  const before = await readAll(pids)
  const result = await work()
  const after = await readAll(pids)
  const cpuSeconds: Record<string, number> = {}
  for (const name of Object.keys(pids)) {
    const [from, to] = [before[name], after[name]]
    if (from !== undefined && to !== undefined) cpuSeconds[name] = to - from
  }
  return { result, cpuSeconds }
}

async function readAll(pids: Readonly<Record<string, number>>): Promise<Record<string, number | undefined>> {
  const entries = Object.entries(pids).map(async ([name, pid]) => [name, await cpuSecondsOf(pid)] as const)
  return Object.fromEntries(await Promise.all(entries))
}
