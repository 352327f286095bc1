import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatRows } from '@orderly/command-line'
import { UserError } from '@orderly/launcher'
import type { Arguments } from '../arguments.ts'
import { check, countViolations } from '../checker/check.ts'
import { saveHistory } from '../history/save.ts'
import { plantedFileOf } from '../preload/journal.ts'
import type { ServersOptions } from '../run/faulty-server.ts'
import { type RunContext, run } from '../run/run.ts'
import { type SharedServers, startServers } from '../run/servers.ts'
import { assertPlanted, type Mutant } from './mutant.ts'
import { mutants } from './mutants.ts'

interface MutantResult {
  readonly name: string
  readonly bug: string
  readonly found: boolean
  /** Guarantees with violations. */
  readonly broken: readonly number[]
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
    let broken: readonly number[] = []
    for (let attempt = 0; attempt < attempts && !isFound(mutant, broken); attempt++) {
      context.note(`mutant ${mutant.name}: ${mutant.bug}`)
      broken = await runMutant(mutant, seed + attempt)
    }
    const result = {
      name: mutant.name,
      bug: mutant.bug,
      found: isFound(mutant, broken),
      broken,
      seconds: Math.round((performance.now() - startMs) / 1_000)
    }
    context.note(
      `mutant ${mutant.name}: ${result.found ? 'found' : 'NOT FOUND'}, violated guarantees: ${broken.join(', ') || 'none'}`
    )
    results.push(result)
  }
  process.stdout.write(asJSON ? `${JSON.stringify(results, undefined, 2)}\n` : `\n${describe(results)}\n`)
  return results.every(({ found }) => found) ? 0 : 1

  async function runMutant(mutant: Mutant, runSeed: number): Promise<number[]> {
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
      assertPlanted(mutant, await plantedFiles(join(context.directories.run, 'journals'), label))
      await saveHistory(history, context.directories.run, `${mutant.name}-${runSeed}`)
      const verdicts = check(history)
      context.note(
        `${countViolations(verdicts)} violations, for example: ${verdicts.flatMap(({ violations }) => violations)[0]?.summary}`
      )
      return verdicts.filter(({ count }) => count > 0).map(({ guarantee }) => guarantee)
    } finally {
      await servers.stop()
    }
  }
}

/** Returns the patched files that the services of a run have loaded. */
async function plantedFiles(journals: string, label: string): Promise<ReadonlySet<string>> {
  const names = (await readdir(journals)).filter(name => name.startsWith(label) && name.endsWith(plantedFileOf('')))
  const texts = await Promise.all(names.map(name => readFile(join(journals, name), 'utf8')))
  return new Set(texts.flatMap(text => text.split('\n')))
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

function isFound({ breaks }: Mutant, broken: readonly number[]): boolean {
  return breaks.some(guarantee => broken.includes(guarantee))
}

function describe(results: readonly MutantResult[]): string {
  const rows = results.map(({ name, bug, found, broken, seconds }) => [
    name,
    bug,
    found ? 'found' : 'NOT FOUND',
    broken.join(', '),
    `${seconds} s`
  ])
  const missed = results.filter(({ found }) => !found).length
  return `${formatRows(['mutant', 'bug', '', 'violated guarantees', ''], rows)}\n\n${missed === 0 ? 'Every mutant was found.' : `${missed} of ${results.length} mutants were NOT found.`}`
}
