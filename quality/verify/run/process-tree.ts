import { spawn } from 'node:child_process'
import { listProcesses } from '@orderly/launcher'

/** Returns the process ids of all descendants. */
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
 * Freezes processes for the given time. A separate shell resumes them, so that they do not stay
 * frozen for ever if the verifier is killed in the meantime.
 */
export function freezeFor(pids: readonly number[], durationMs: number): void {
  const script = `kill -STOP ${pids.join(' ')}; sleep ${(durationMs / 1_000).toFixed(1)}; kill -CONT ${pids.join(' ')}`
  spawn('/bin/sh', ['-c', script], { detached: true, stdio: 'ignore' }).unref()
}
