import type { CallFrame, Stack } from './stack.ts'

/**
 * File format of `node --cpu-prof`
 * (https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile).
 */
export interface CPUProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: CallFrame
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

export interface StacksOfProfile {
  /** Sampled stacks, weighted in microseconds. */
  readonly stacks: readonly Stack[]
  /** Profiled time, including idle time. */
  readonly watchedUs: number
}

/**
 * Returns the stacks of a CPU profile.
 * @param fromMs start of the evaluated time, to exclude loading and code that was not compiled yet
 */
export function stacksOf({ nodes, samples, timeDeltas }: CPUProfile, fromMs = 0): StacksOfProfile {
  const usOf = new Map<number, number>()
  let [atUs, watchedUs] = [0, 0]
  samples.forEach((id, index) => {
    const us = timeDeltas[index] ?? 0
    atUs += us
    if (atUs < fromMs * 1_000) return
    watchedUs += us
    usOf.set(id, (usOf.get(id) ?? 0) + us)
  })
  const byID = new Map(nodes.map(node => [node.id, node]))
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map(child => [child, id] as const)))
  const stacks: Stack[] = []
  for (const [id, us] of usOf) {
    const frames: CallFrame[] = []
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const { callFrame } = byID.get(at) as CPUProfile['nodes'][number]
      if (callFrame.functionName !== '(root)') frames.unshift(callFrame)
    }
    if (frames.length > 0 && frames[0]?.functionName !== '(idle)') stacks.push({ frames, weight: us })
  }
  return { stacks, watchedUs }
}
