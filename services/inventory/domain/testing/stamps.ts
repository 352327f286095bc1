import type { Stamp } from '../stamp.ts'

/** Returns a stamp with a fixed time and the sequence number 0, for tests that ignore numbers. */
export function at(atMs: number): Stamp {
  return { atMs, nextSequence: () => 0 }
}
