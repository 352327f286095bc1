import { join } from 'node:path'
import { nodeSettings } from '../ours/node-settings.ts'
import { startWorker, type Worker } from './worker.ts'

/** Starts one of our contestants. */
export function startOurs(name: string, nodeArguments: readonly string[] = []): Worker {
  return startWorker({
    command: process.execPath,
    args: [...nodeSettings, ...nodeArguments, join(import.meta.dirname, '..', 'ours', `${name}.ts`)]
  })
}
