import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatRows } from '@orderly/command-line'
import { UserError } from '@orderly/launcher'
import type { Arguments } from '../arguments.ts'
import { check, countViolations } from '../checker/check.ts'
import { saveHistory } from '../history/save.ts'
import { executedFileOf, plantedFileOf } from '../preload/journal.ts'
import type { ServersOptions } from '../run/faulty-server.ts'
import { type RunContext, run } from '../run/run.ts'
import { type SharedServers, startServers } from '../run/servers.ts'
import { type Mutant, whyInactive } from './mutant.ts'
import { mutants } from './mutants.ts'

interface MutantResult {
  readonly name: string
  readonly bug: string
  readonly found: boolean
  /** Guarantees with violations in the last run. */
  readonly broken: readonly number[]
  /** Why the last run says nothing about the mutant. */
  readonly inactive?: string
  readonly seconds: number
}

const usualDurationMs = 20_000
/**
 * Two inventories, for bugs that need several instances; more processes only slow down a small
 * machine.
 */
const instances = { order: 1, inventory: 2, notification: 1, aggregator: 1 }
/** Attempts per mutant, each with another seed, since faults occur at random moments. */
const attempts = 3

/** Runs the verifier with each mutant in turn; each must be found. @returns the exit code */
export async function runMutants(
  { mutants: names = [], seed, topology, asJSON }: Arguments,
  shared: SharedServers,
  options: ServersOptions,
  context: Omit<RunContext, 'servers'>
): Promise<number> {
  const results: MutantResult[] = []
  for (const mutant of choose(names)) {
    const startMs = performance.now()
    let last: Attempt = { broken: [] }
    for (let attempt = 0; attempt < attempts && !isFound(mutant, last); attempt++) {
      context.note(`mutant ${mutant.name}: ${mutant.bug}`)
      last = await runMutant(mutant, seed + attempt)
    }
    const seconds = Math.round((performance.now() - startMs) / 1_000)
    const result: MutantResult = { name: mutant.name, bug: mutant.bug, found: isFound(mutant, last), seconds, ...last }
    context.note(
      `mutant ${mutant.name}: ${verdictOn(result)}, violated guarantees: ${last.broken.join(', ') || 'none'}`
    )
    results.push(result)
  }
  process.stdout.write(asJSON ? `${JSON.stringify(results, undefined, 2)}\n` : `\n${describe(results)}\n`)
  return results.every(({ found }) => found) ? 0 : 1

  async function runMutant(mutant: Mutant, runSeed: number): Promise<Attempt> {
    const { faults: weights, services, points, durationMs = usualDurationMs, requestsPerSecond = 80 } = mutant
    const label = `${mutant.name}-${runSeed}.`
    const servers = await startServers(shared, options)
    try {
      const history = await run(
        {
          seed: runSeed,
          durationMs,
          requestsPerSecond,
          topology: { ...topology, instances },
          weights,
          services,
          points,
          mutant: mutant.name,
          label
        },
        { ...context, servers }
      )
      await saveHistory(history, context.directories.run, `${mutant.name}-${runSeed}`)
      const verdicts = check(history)
      context.note(
        `${countViolations(verdicts)} violations, for example: ${verdicts.flatMap(({ violations }) => violations)[0]?.summary}`
      )
      const inactive = whyInactive(mutant, await activityIn(join(context.directories.run, 'journals'), label))
      const broken = verdicts.filter(({ count }) => count > 0).map(({ guarantee }) => guarantee)
      return { broken, ...(inactive !== undefined && { inactive }) }
    } finally {
      await servers.stop()
    }
  }
}

/** Returns the patched files that the processes of a run have loaded, and the patches they executed. */
async function activityIn(journals: string, label: string) {
  const names = (await readdir(journals)).filter(name => name.startsWith(label))
  async function linesOf(suffix: string): Promise<string[]> {
    const files = names.filter(name => name.endsWith(suffix))
    const texts = await Promise.all(files.map(name => readFile(join(journals, name), 'utf8')))
    return texts.flatMap(text => text.split('\n')).filter(line => line !== '')
  }
  return {
    planted: new Set(await linesOf(plantedFileOf(''))),
    executed: new Set((await linesOf(executedFileOf(''))).map(Number))
  }
}

function choose(names: readonly string[]): readonly Mutant[] {
  if (names.length === 0) return mutants
  return names.map(name => {
    const mutant = mutants.find(mutant => mutant.name === name)
    if (mutant === undefined) {
      throw new UserError(`Unknown mutant "${name}"; use ${mutants.map(mutant => mutant.name).join(', ')}.`)
    }
    return mutant
  })
}

type Attempt = Pick<MutantResult, 'broken' | 'inactive'>

/** A violation in a run without active mutant has another cause. */
function isFound({ breaks }: Mutant, { broken, inactive }: Attempt): boolean {
  return inactive === undefined && breaks.some(guarantee => broken.includes(guarantee))
}

function verdictOn({ found, inactive }: MutantResult): string {
  if (inactive !== undefined) return `NOT ACTIVE: ${inactive}`
  return found ? 'found' : 'NOT FOUND'
}

function describe(results: readonly MutantResult[]): string {
  const rows = results.map(result => [
    result.name,
    result.bug,
    verdictOn(result),
    result.broken.join(', '),
    `${result.seconds} s`
  ])
  const missed = results.filter(({ found }) => !found).length
  return `${formatRows(['mutant', 'bug', '', 'violated guarantees', ''], rows)}\n\n${missed === 0 ? 'Every mutant was found.' : `${missed} of ${results.length} mutants were NOT found.`}`
}
