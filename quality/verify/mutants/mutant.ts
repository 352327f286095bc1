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

/** A patched source, with the offset of the first changed character of each patch. */
export interface PatchedSource {
  readonly source: string
  readonly offsets: readonly number[]
}

/** Applies the patches of one file. @throws Error unless each text occurs exactly once */
export function applyPatches(source: string, patches: readonly Patch[]): PatchedSource {
  let patched = source
  let offsets: number[] = []
  for (const patch of patches) {
    const start = patched.indexOf(patch.find)
    patched = applyPatch(patched, patch)
    const growth = patch.replace.length - patch.find.length
    offsets = offsets.map(offset => (offset > start ? offset + growth : offset))
    offsets.push(start + firstDifference(patch))
  }
  return { source: patched, offsets }
}

function firstDifference({ find, replace }: Patch): number {
  let index = 0
  while (index < replace.length && find[index] === replace[index]) index++
  return index
}

/** Returns why a run says nothing about a mutant; undefined if its code was active. */
export function whyInactive(
  { patches }: Mutant,
  /** Files into which processes have planted patches, and the numbers of those that they executed. */
  { planted, executed }: { readonly planted: ReadonlySet<string>; readonly executed: ReadonlySet<number> }
): string | undefined {
  const missing = new Set(patches.map(({ file }) => file).filter(file => !planted.has(file)))
  if (missing.size > 0) return `no process loaded ${[...missing].join(', ')}`
  return executed.size === 0 ? 'no process executed a patch' : undefined
}
