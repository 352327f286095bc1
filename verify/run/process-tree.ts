import { spawn } from 'node:child_process'
import { listProcesses } from '@orderly/stack'

/** Children, their children and so on. */
export async function descendantsOf(pid: number): Promise<number[]> {
  const parents = new Map((await listProcesses()).map(({ pid, parentPID }) => [pid, parentPID]))
  const isBelow = (child: number): boolean => {
    const parent = parents.get(child)
    return parent !== undefined && parent > 1 && (parent === pid || isBelow(parent))
  }
  return [...parents.keys()].filter(isBelow)
}

export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

/**
 * Freezes processes for a while. A process of its own wakes them up, so that none stays frozen for ever should the
 * verifier be killed meanwhile: nobody else would ever end them.
 */
export function freezeFor(pids: readonly number[], durationMs: number): void {
  const script = `kill -STOP ${pids.join(' ')}; sleep ${(durationMs / 1_000).toFixed(1)}; kill -CONT ${pids.join(' ')}`
  spawn('/bin/sh', ['-c', script], { detached: true, stdio: 'ignore' }).unref()
}
