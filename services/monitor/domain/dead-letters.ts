export interface DeadLetterObservation {
  readonly atMs: number
  readonly counts: readonly DeadLetterCount[]
  readonly failed: readonly { readonly topic: string; readonly error: Error }[]
}

export interface DeadLetterCount {
  readonly topic: string
  readonly waiting: number
  readonly oldestAtMs: number | undefined
  readonly blockedKeys: number
}

/**
 * Returns the age of the oldest pending dead letter; 0 if none is pending or its timestamp is in
 * the future.
 */
export function oldestAgeSeconds({ oldestAtMs }: Pick<DeadLetterCount, 'oldestAtMs'>, atMs: number): number {
  return oldestAtMs === undefined ? 0 : Math.max(0, atMs - oldestAtMs) / 1_000
}
