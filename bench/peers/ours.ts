import { join } from 'node:path'
import { nodeSettings } from '../ours/node-settings.ts'
import { startWorker, type Worker } from './worker.ts'

/** A contestant of ours. */
export function startOurs(name: string, nodeArguments: readonly string[] = []): Worker {
  return startWorker({
    command: process.execPath,
    args: [...nodeSettings, ...nodeArguments, join(import.meta.dirname, '..', 'ours', `${name}.ts`)]
  })
}
