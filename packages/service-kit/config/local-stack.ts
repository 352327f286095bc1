import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The stack that `npm start` runs in this checkout, as it publishes itself while it runs. It holds no secrets. */
export interface LocalStack {
  /** Process id of the launcher. */
  readonly pid: number
  /** Addresses by the name of the setting that takes them: `KAFKA_BROKERS`, `INVENTORY_URL`, … */
  readonly addresses: Readonly<Record<string, string>>
}

const usualFile = join(import.meta.dirname, '..', '..', '..', '.orderly', 'start', 'stack.json')

/** Returns the running stack of this checkout; undefined where none runs. */
export function readLocalStack(file = usualFile): LocalStack | undefined {
  try {
    const stack = JSON.parse(readFileSync(file, 'utf8')) as LocalStack
    process.kill(stack.pid, 0)
    return stack
  } catch {
    return undefined
  }
}

/** Publishes a stack; it appears to readers as a whole. @returns what withdraws it */
export function publishLocalStack(stack: LocalStack, file: string): () => void {
  writeFileSync(`${file}.new`, `${JSON.stringify(stack, undefined, 2)}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
  return () => rmSync(file, { force: true })
}
