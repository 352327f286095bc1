import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { figureTable } from '../report/scenario-report.ts'
import type { ScenarioContext } from '../scenario.ts'
import { type CPUProfile, stacksOf } from './cpu-profile.ts'
import { flameGraph } from './flame-graph.ts'
import { type HeapProfile, stacksOfHeap } from './heap-profile.ts'
import { weightsByOwner } from './owners.ts'
import { type Stack, weightOf } from './stack.ts'

/** Returns the Node arguments with which the named process writes profiles at its exit. */
export type ProfileArguments = (process: string) => string[]

interface Profiled {
  readonly scenario: string
  /** Time after the start of each process (loading, warm-up) that is excluded from CPU profiles. */
  readonly skipMs: number
  /** True if the objects that remain in memory are reported as well. */
  readonly withMemory?: boolean
  /** Starts our processes with these arguments, runs their work, and stops them. */
  run(argumentsFor: ProfileArguments): Promise<void>
}

interface Column {
  readonly title: string
  readonly byOwner: ReadonlyMap<string, number>
  /** Text of the last row, below all owners. */
  readonly total: string
}

interface Thread {
  readonly title: string
  readonly file: string
}

const rowsAtMost = 12
/** Minimum share of busy time for which a thread gets a column. */
const leastBusy = 0.03
const megabyte = 2 ** 20
const samplingIntervalBytes = 64 * 1024

/**
 * Attributes CPU time and remaining memory of our processes to the packages that used them, and
 * draws a flame graph of each thread. Runs in separate turns after all measurements, because
 * profiling costs time. Quick runs skip it without `--profile`.
 * @returns Markdown
 */
export async function profile(
  context: ScenarioContext,
  { scenario, skipMs, withMemory, run }: Profiled
): Promise<string> {
  const { arguments: given, results, say } = context
  if (given.quick && !given.profile) return ''
  say(`${scenario}: profiles`)
  const directory = await mkdtemp(join(tmpdir(), 'orderly-profile-'))
  const draw = async (title: string, kind: string, stacks: readonly Stack[]) => {
    const svg = `${scenario}-${title.replaceAll(/\W+/g, '-')}${kind}.svg`
    await mkdir(join(results, 'profiles'), { recursive: true })
    await writeFile(join(results, 'profiles', svg), flameGraph(`${scenario}: ${title}`, stacks))
    return `[${title}](profiles/${svg})`
  }
  try {
    await run(name => {
      const cpu = ['--cpu-prof', '--cpu-prof-interval=500', `--cpu-prof-dir=${join(directory, name)}`]
      const heap = [
        '--heap-prof',
        `--heap-prof-interval=${samplingIntervalBytes}`,
        `--heap-prof-dir=${join(directory, name)}`
      ]
      return withMemory ? [...cpu, ...heap] : cpu
    })
    const times: Column[] = []
    for (const { title, file } of await threadsIn(directory, '.cpuprofile')) {
      const { stacks, watchedUs } = stacksOf((await readJSON(file)) as CPUProfile, skipMs)
      if (watchedUs === 0)
        throw new Error(`${title} exited within the ${skipMs} ms that profiles exclude, so there is nothing to report`)
      const busyUs = weightOf(stacks)
      if (busyUs / watchedUs < leastBusy) continue
      const shares = [...weightsByOwner(stacks)].map(([owner, us]) => [owner, us / busyUs] as const)
      times.push({ title: await draw(title, '', stacks), byOwner: new Map(shares), total: percent(busyUs / watchedUs) })
    }
    const memories: Column[] = []
    for (const { title, file } of await threadsIn(directory, '.heapprofile')) {
      const stacks = stacksOfHeap((await readJSON(file)) as HeapProfile)
      const byOwner = weightsByOwner(stacks)
      memories.push({ title: await draw(title, '-memory', stacks), byOwner, total: megabytes(weightOf(stacks)) })
    }
    return [describeTimes(times), ...(withMemory ? [describeMemories(memories)] : [])].join('\n\n')
  } finally {
    await rm(directory, { recursive: true })
  }
}

/** Returns the profiles of this kind, one per thread, ordered by process. */
async function threadsIn(directory: string, kind: string): Promise<Thread[]> {
  const threads: Thread[] = []
  for (const name of (await readdir(directory)).toSorted()) {
    const files = (await readdir(join(directory, name))).filter(file => file.endsWith(kind)).toSorted(byThread)
    for (const [thread, file] of files.entries())
      threads.push({ title: thread === 0 ? name : `${name}, thread ${thread + 1}`, file: join(directory, name, file) })
  }
  return threads
}

/**
 * Compares by thread; names are `CPU.<date>.<time>.<pid>.<thread>.<number>.cpuprofile` (`Heap`
 * likewise).
 */
function byThread(one: string, other: string): number {
  const threadOf = (file: string) => Number(file.split('.')[4])
  return threadOf(one) - threadOf(other)
}

async function readJSON(file: string): Promise<unknown> {
  return JSON.parse(await readFile(file, 'utf8'))
}

const percent = (share: number) => `${(share * 100).toFixed(1)} %`
const megabytes = (bytes: number) => (bytes / megabyte).toFixed(1)

function describeTimes(columns: readonly Column[]): string {
  return (
    '## CPU time by package\n\n' +
    'CPU time of each thread by package, from profiles taken after all measurements (column titles link to flame graphs). Native code counts for its caller.\n\n' +
    byOwner(columns, percent, 'busy, of one core')
  )
}

function describeMemories(columns: readonly Column[]): string {
  return (
    '## Remaining memory by package\n\n' +
    'MB of objects that are still in use after the process was stopped under load and has finished its work in flight, by the package that allocated them, ' +
    'from the same profiles. All other objects of the heap under load are short-lived.\n\n' +
    byOwner(columns, megabytes, 'all')
  )
}

function byOwner(columns: readonly Column[], format: (amount: number) => string, totalName: string): string {
  const most = new Map<string, number>()
  for (const column of columns)
    for (const [owner, amount] of column.byOwner) most.set(owner, Math.max(amount, most.get(owner) ?? 0))
  const owners = [...most].toSorted(([, one], [, other]) => other - one).map(([owner]) => owner)
  const rows = owners
    .slice(0, rowsAtMost)
    .map(owner => [owner, ...columns.map(column => format(column.byOwner.get(owner) ?? 0))])
  const rest = owners.slice(rowsAtMost)
  const restOf = (column: Column) => rest.reduce((sum, owner) => sum + (column.byOwner.get(owner) ?? 0), 0)
  if (rest.length > 0) rows.push(['all others', ...columns.map(column => format(restOf(column)))])
  rows.push([totalName, ...columns.map(({ total }) => total)])
  return figureTable(['', ...columns.map(({ title }) => title)], rows)
}
