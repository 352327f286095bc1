import type { Weights } from '../plan/faults.ts'

/**
 * A deliberate bug: source text that is replaced while a process loads it. Files on disk stay
 * unchanged.
 */
export interface Mutant {
  readonly name: string
  readonly bug: string
  readonly patches: readonly Patch[]
  /** Faults that expose the bug. */
  readonly faults: Weights
  readonly services?: readonly string[]
  readonly points?: readonly string[]
  readonly requestsPerSecond?: number
  readonly durationMs?: number
  /** Guarantees of which at least one must be found violated. */
  readonly breaks: readonly number[]
}

export interface Patch {
  /** Path relative to the project directory. */
  readonly file: string
  /** Text that occurs exactly once in the file. */
  readonly find: string
  readonly replace: string
}

/** Replaces the text of a patch. @throws Error unless the text occurs exactly once in the source */
export function applyPatch(source: string, { file, find, replace }: Patch): string {
  const parts = source.split(find)
  if (parts.length !== 2) {
    throw new Error(
      `the patch of a mutant does not apply: ${file} contains its text ${parts.length - 1} times instead of once; update quality/verify/mutants\n${find}`
    )
  }
  return parts.join(replace)
}

/**
 * Checks that the mutant was active. `planted` lists the patched files that processes have loaded.
 * @throws Error if no process loaded a file that the mutant patches
 */
export function assertPlanted({ name, patches }: Mutant, planted: ReadonlySet<string>): void {
  const missing = patches.map(({ file }) => file).filter(file => !planted.has(file))
  if (missing.length > 0) {
    throw new Error(`mutant ${name} was not planted: no service loaded ${[...new Set(missing)].join(', ')}`)
  }
}
