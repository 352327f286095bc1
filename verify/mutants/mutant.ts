import type { Weights } from '../plan/faults.ts'

/** A deliberate bug: source text that is replaced while a process loads it. The files on disk stay as they are. */
export interface Mutant {
  readonly name: string
  readonly bug: string
  readonly patches: readonly Patch[]
  /** What brings it to light. */
  readonly faults: Weights
  readonly services?: readonly string[]
  readonly points?: readonly string[]
  readonly requestsPerSecond?: number
  readonly durationMs?: number
  /** The guarantees of which one at least has to be found broken. */
  readonly breaks: readonly number[]
}

export interface Patch {
  /** From the project's folder on. */
  readonly file: string
  /** Stands in it exactly once. */
  readonly find: string
  readonly replace: string
}

/** @throws Error unless the text to replace stands in the source exactly once */
export function applyPatch(source: string, { file, find, replace }: Patch): string {
  const parts = source.split(find)
  if (parts.length !== 2) {
    throw new Error(`the mutant does not fit: its text stands ${parts.length - 1} times in ${file}\n${find}`)
  }
  return parts.join(replace)
}

/** @throws Error when a file that the mutant patches was loaded by none of the processes; `planted` lists the files that were */
export function assertPlanted({ name, patches }: Mutant, planted: ReadonlySet<string>): void {
  const missing = patches.map(({ file }) => file).filter(file => !planted.has(file))
  if (missing.length > 0) {
    throw new Error(`the mutant ${name} was not planted: no service loaded ${[...new Set(missing)].join(', ')}`)
  }
}
