/**
 * A stack frame in the format of V8's profiles
 * (https://chromedevtools.github.io/devtools-protocol/tot/Runtime/#type-CallFrame).
 */
export interface CallFrame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
}

/** A sampled stack, outermost frame first, with its share of the measured quantity. */
export interface Stack {
  readonly frames: readonly CallFrame[]
  readonly weight: number
}

export function weightOf(stacks: readonly Stack[]): number {
  return stacks.reduce((sum, { weight }) => sum + weight, 0)
}
