import { join } from 'node:path'
import { startWorker, type Worker } from './worker.ts'

/** As the launcher starts services (stack/parts/service.ts). */
const smallHeap = '--max-semi-space-size=8'

/** A contestant of ours; with a folder for profiles it leaves one there when it is stopped. */
export function startOurs(name: string, profileDirectory?: string): Worker {
  const profile =
    profileDirectory === undefined
      ? []
      : ['--cpu-prof', '--cpu-prof-interval=500', `--cpu-prof-dir=${profileDirectory}`]
  return startWorker({
    command: process.execPath,
    args: [smallHeap, ...profile, join(import.meta.dirname, '..', 'ours', `${name}.ts`)]
  })
}
