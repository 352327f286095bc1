import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { UserError } from '@orderly/launcher'
import type { Recovery } from '../history/history.ts'
import type { FaultPlan } from '../plan/faults.ts'

/**
 * Result of one seed. A campaign appends one line of JSON for each seed to its file, so it can be
 * stopped at any time and continues with the next seed.
 */
export interface SeedRecord {
  readonly seed: number
  readonly brokers: number
  readonly hasConnect: boolean
  /** Version of the code, as `git describe` names it. */
  readonly version: string
  readonly startedAt: string
  readonly outcome: 'clean' | 'violated' | 'inconclusive' | 'incomplete'
  /** Accepted orders. */
  readonly orders: number
  /** Number of injected faults of each kind, without zeros. */
  readonly faults: Readonly<Record<string, number>>
  /** Number of faults at failpoints, by kind, service and failpoint. */
  readonly faultsAtPoints: Readonly<Record<string, number>>
  readonly recoveries: readonly Pick<Recovery, 'kinds' | 'boundMs' | 'tookMs'>[]
  /** Number of violations of each guarantee that was judged, by its number. */
  readonly violations: Readonly<Record<string, number>>
  /** Why the run was not clean, and the directory of its history and logs. */
  readonly reasons?: readonly string[]
  readonly directory?: string
  /** The smallest part of the plan that failed again; absent if none did. */
  readonly smallestPlan?: readonly FaultPlan[]
}

/** Appends the result of a seed. */
export async function appendRecord(file: string, record: SeedRecord): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  await appendFile(file, `${JSON.stringify(record)}\n`)
}

/** Returns all results of a file; none if it does not exist. @throws UserError if a line is invalid */
export async function loadRecords(file: string): Promise<SeedRecord[]> {
  // A campaign that was killed may have written a part of its last line.
  const lines = (await readText(file)).split('\n').slice(0, -1)
  return lines.map((line, index) => {
    try {
      return JSON.parse(line) as SeedRecord
    } catch {
      throw new UserError(`${file}, line ${index + 1} is not JSON: delete the line, and its seed will run again.`)
    }
  })
}

/** Removes a last line that a killed campaign has not written completely. */
export async function removePartialLine(file: string): Promise<void> {
  const text = await readText(file)
  if (text === '' || text.endsWith('\n')) return
  await writeFile(file, text.slice(0, text.lastIndexOf('\n') + 1))
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(error => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
}
