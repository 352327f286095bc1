import { readFile } from 'node:fs/promises'

/** Of a clock tick of the kernel's accounting; 100 a second wherever Linux runs. */
const ticksPerSecond = 100

/**
 * Processor time that a process has used up to now, all its threads together, in seconds. On a machine that is shared with others this
 * says more than the time on the wall.
 * @returns undefined where there is no /proc (macOS), or no such process
 */
export async function cpuSecondsOf(pid: number): Promise<number | undefined> {
  return secondsIn(`/proc/${pid}/stat`)
}

/** As `cpuSecondsOf`, of the first thread alone: in a process of Node the one that runs its main module. */
export async function mainThreadSecondsOf(pid: number): Promise<number | undefined> {
  return secondsIn(`/proc/${pid}/task/${pid}/stat`)
}

/** As `cpuSecondsOf`, with the children of the process, also those that have ended: what Postgres is. */
export async function familySecondsOf(pid: number): Promise<number | undefined> {
  const [own, list] = await Promise.all([
    secondsIn(`/proc/${pid}/stat`, { withEnded: true }),
    readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  ])
  const children = await Promise.all(list.split(' ').filter(Boolean).map(Number).map(cpuSecondsOf))
  return own === undefined ? undefined : children.reduce<number>((sum, seconds = 0) => sum + seconds, own)
}

/** As `cpuSecondsOf`, of everything on this machine: whatever is not idle. */
export async function machineSeconds(): Promise<number | undefined> {
  const text = await readFile('/proc/stat', 'utf8').catch(() => undefined)
  return text === undefined ? undefined : parseMachineSeconds(text)
}

/** The first line of proc(5) stat: user, nice, system, idle, iowait, irq, softirq, steal; guests are in the first two. */
export function parseMachineSeconds(text: string): number {
  const [, ...fields] = (text.split('\n', 1)[0] ?? '').split(/ +/)
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = fields.map(Number)
  return (user + nice + system + irq + softirq) / ticksPerSecond
}

async function secondsIn(file: string, options?: { readonly withEnded: boolean }): Promise<number | undefined> {
  const stat = await readFile(file, 'utf8').catch(() => undefined)
  return stat === undefined ? undefined : parseCPUSeconds(stat, options)
}

/** The 14th to 17th field of proc(5) stat; the second one, the name, may hold blanks and parentheses. */
export function parseCPUSeconds(stat: string, { withEnded = false } = {}): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = fields.slice(11, withEnded ? 15 : 13)
  return ticks.reduce((sum, field) => sum + Number(field), 0) / ticksPerSecond
}

/** A process by its id, or how to ask for the time that was used up to now. */
export type Clock = number | (() => Promise<number | undefined>)

/** What `work` cost each of these, in seconds; those that cannot be read are left out. */
export async function costOf<Result>(
  clocks: Readonly<Record<string, Clock>>,
  work: () => Promise<Result>
): Promise<{ result: Result; cpuSeconds: Record<string, number> }> {
  const before = await readAll(clocks)
  const result = await work()
  const after = await readAll(clocks)
  const cpuSeconds: Record<string, number> = {}
  for (const name of Object.keys(clocks)) {
    const [from, to] = [before[name], after[name]]
    if (from !== undefined && to !== undefined) cpuSeconds[name] = to - from
  }
  return { result, cpuSeconds }
}

async function readAll(clocks: Readonly<Record<string, Clock>>): Promise<Record<string, number | undefined>> {
  const read = (clock: Clock) => (typeof clock === 'number' ? cpuSecondsOf(clock) : clock())
  const entries = Object.entries(clocks).map(async ([name, clock]) => [name, await read(clock)] as const)
  return Object.fromEntries(await Promise.all(entries))
}
