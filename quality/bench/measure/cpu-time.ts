import { readFile } from 'node:fs/promises'

/** Clock ticks of the kernel's accounting (USER_HZ), which is 100 on all Linux platforms. */
const ticksPerSecond = 100

/**
 * Returns the total CPU time of a process, over all its threads. On a shared machine it is more
 * reliable than wall-clock time.
 * @returns undefined without /proc (macOS) or such a process
 */
export async function cpuSecondsOf(pid: number): Promise<number | undefined> {
  return secondsIn(`/proc/${pid}/stat`)
}

/** As `cpuSecondsOf`, but for the main thread only, which runs the main module in Node. */
export async function mainThreadSecondsOf(pid: number): Promise<number | undefined> {
  return secondsIn(`/proc/${pid}/task/${pid}/stat`)
}

/**
 * As `cpuSecondsOf`, plus all children of the process, including exited ones; used for Postgres.
 */
export async function familySecondsOf(pid: number): Promise<number | undefined> {
  const [own, list] = await Promise.all([
    secondsIn(`/proc/${pid}/stat`, { withEnded: true }),
    readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  ])
  const children = await Promise.all(list.split(' ').filter(Boolean).map(Number).map(cpuSecondsOf))
  return own === undefined ? undefined : children.reduce<number>((sum, seconds = 0) => sum + seconds, own)
}

/** As `cpuSecondsOf`, but for everything that runs on this machine. */
export async function machineSeconds(): Promise<number | undefined> {
  const text = await readFile('/proc/stat', 'utf8').catch(() => undefined)
  return text === undefined ? undefined : parseMachineSeconds(text)
}

/**
 * Sums the busy fields in the first line of proc(5) stat: user, nice, system, idle, iowait, irq,
 * softirq, steal. Guest time is part of the first two.
 */
export function parseMachineSeconds(text: string): number {
  const [, ...fields] = (text.split('\n', 1)[0] ?? '').split(/ +/)
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = fields.map(Number)
  return (user + nice + system + irq + softirq) / ticksPerSecond
}

async function secondsIn(file: string, options?: { readonly withEnded: boolean }): Promise<number | undefined> {
  const stat = await readFile(file, 'utf8').catch(() => undefined)
  return stat === undefined ? undefined : parseCPUSeconds(stat, options)
}

/** Sums fields 14 to 17 of proc(5) stat. Field 2, the name, may contain blanks and parentheses. */
export function parseCPUSeconds(stat: string, { withEnded = false } = {}): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = fields.slice(11, withEnded ? 15 : 13)
  return ticks.reduce((sum, field) => sum + Number(field), 0) / ticksPerSecond
}

/** A process id, or a function that returns the CPU seconds used up to now. */
export type Clock = number | (() => Promise<number | undefined>)

/** Measures the CPU seconds of each clock during `work`; omits clocks that cannot be read. */
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
