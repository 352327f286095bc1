import type { Stamp } from '../stamp.ts'

/** Gives every decision the same time and the number 0, for tests that number nothing. */
export function at(atMs: number): Stamp {
  return { atMs, nextSequence: () => 0 }
}
