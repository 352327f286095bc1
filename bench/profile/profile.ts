import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PartContext } from '../part.ts'
import { markdownTable } from '../report/part-report.ts'
import { type CPUProfile, stacksOf } from './cpu-profile.ts'
import { flameGraph } from './flame-graph.ts'
import { sharesByOwner } from './owners.ts'

/** Arguments of Node with which a process leaves a profile when it ends; each process has another name. */
export type ProfileArguments = (process: string) => string[]

interface Profiled {
  readonly part: string
  /** From the start of each process: loading, warming up. Not looked at. */
  readonly skipMs: number
  /** Starts processes of ours with these arguments, has them work, and ends them. */
  run(argumentsFor: ProfileArguments): Promise<void>
}

interface Column {
  readonly title: string
  readonly shares: ReadonlyMap<string, number>
  readonly busy: number
}

const rowsAtMost = 12
/** A thread that is busy for less of the time is not worth a column. */
const leastBusy = 0.03

/**
 * Where the processor time of our processes goes, by whose code it is, with a flame graph of each thread. In turns of its own, when all is
 * measured: being watched costs time. Quick runs have none unless they are asked for it.
 * @returns Markdown
 */
export async function profile(context: PartContext, { part, skipMs, run }: Profiled): Promise<string> {
  const { arguments: given, results, say } = context
  if (given.quick && !given.profile) return ''
  say(`${part}: where the time goes`)
  const directory = await mkdtemp(join(tmpdir(), 'orderly-profile-'))
  try {
    await run(name => ['--cpu-prof', '--cpu-prof-interval=500', `--cpu-prof-dir=${join(directory, name)}`])
    const columns: Column[] = []
    for (const name of (await readdir(directory)).toSorted()) {
      for (const [thread, file] of (await readdir(join(directory, name))).toSorted(byThread).entries()) {
        const title = thread === 0 ? name : `${name}, thread ${thread + 1}`
        const recorded = JSON.parse(await readFile(join(directory, name, file), 'utf8')) as CPUProfile
        const { stacks, watchedUs } = stacksOf(recorded, skipMs)
        const busy = stacks.reduce((sum, { us }) => sum + us, 0) / watchedUs
        if (busy < leastBusy) continue
        const svg = `${part}-${title.replaceAll(/\W+/g, '-')}.svg`
        await mkdir(join(results, 'profiles'), { recursive: true })
        await writeFile(join(results, 'profiles', svg), flameGraph(`${part}: ${title}`, stacks))
        columns.push({ title: `[${title}](profiles/${svg})`, shares: sharesByOwner(stacks), busy })
      }
    }
    return `## Where our processor time goes\n\n${describe(columns)}`
  } finally {
    await rm(directory, { recursive: true })
  }
}

/** CPU.<date>.<time>.<pid>.<thread>.<number>.cpuprofile */
function byThread(one: string, other: string): number {
  const threadOf = (file: string) => Number(file.split('.')[4])
  return threadOf(one) - threadOf(other)
}

function describe(columns: readonly Column[]): string {
  const most = new Map<string, number>()
  for (const { shares } of columns)
    for (const [owner, share] of shares) most.set(owner, Math.max(share, most.get(owner) ?? 0))
  const owners = [...most].toSorted(([, one], [, other]) => other - one).map(([owner]) => owner)
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`
  const rows = owners
    .slice(0, rowsAtMost)
    .map(owner => [owner, ...columns.map(({ shares }) => percent(shares.get(owner) ?? 0))])
  const rest = owners.slice(rowsAtMost)
  const restOf = ({ shares }: Column) => rest.reduce((sum, owner) => sum + (shares.get(owner) ?? 0), 0)
  if (rest.length > 0) rows.push(['all others', ...columns.map(column => percent(restOf(column)))])
  rows.push(['busy, of a core', ...columns.map(({ busy }) => percent(busy))])
  return (
    "Each thread by whose code it was in, from profiles taken when all was measured (titles lead to their flame graphs). Native code is its caller's.\n\n" +
    markdownTable(['', ...columns.map(({ title }) => title)], rows)
  )
}
