/** A frame as profiles of V8 have it (https://chromedevtools.github.io/devtools-protocol/tot/Runtime/#type-CallFrame). */
export interface CallFrame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
}

/** A stack that was seen, from its root to where it was, and how much of what was measured was seen there. */
export interface Stack {
  readonly frames: readonly CallFrame[]
  readonly weight: number
}

export function weightOf(stacks: readonly Stack[]): number {
  return stacks.reduce((sum, { weight }) => sum + weight, 0)
}
