import type { CallFrame, Stack } from './stack.ts'

/**
 * File format of `node --heap-prof`
 * (https://chromedevtools.github.io/devtools-protocol/tot/HeapProfiler/#type-SamplingHeapProfile).
 */
export interface HeapProfile {
  readonly head: HeapProfileNode
}

interface HeapProfileNode {
  readonly callFrame: CallFrame
  /** Bytes allocated by this function that are still in use, estimated from samples. */
  readonly selfSize: number
  readonly children: readonly HeapProfileNode[]
}

/** Returns the allocation stacks of a heap profile, weighted in bytes. */
export function stacksOfHeap({ head }: HeapProfile): Stack[] {
  const stacks: Stack[] = []
  const visit = ({ selfSize, children }: HeapProfileNode, frames: readonly CallFrame[]): void => {
    if (selfSize > 0) stacks.push({ frames, weight: selfSize })
    for (const child of children) visit(child, [...frames, child.callFrame])
  }
  visit(head, [])
  return stacks
}
