import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { replaceFile } from './replace-file.ts'

/**
 * The stack that `npm start` runs in this checkout, as published while it runs. Only the user of
 * the launcher can read it.
 */
export interface LocalStack {
  /** Process id of the launcher. */
  readonly pid: number
  /**
   * Address per setting that accepts it: `KAFKA_BROKERS`, `INVENTORY_URL`, … The address of Kafka
   * Connect contains its password.
   */
  readonly addresses: Readonly<Record<string, string>>
  /** Address of the database without user and password. */
  readonly database?: string
}

const usualFile = join(import.meta.dirname, '..', '..', '..', '.orderly', 'start', 'stack.json')

/** Returns the running stack of this checkout, or undefined if none runs. */
export function readLocalStack(file = usualFile): LocalStack | undefined {
  try {
    const stack = JSON.parse(readFileSync(file, 'utf8')) as LocalStack
    process.kill(stack.pid, 0)
    return stack
  } catch {
    return undefined
  }
}

/** Publishes a stack by an atomic rename. @returns a function that withdraws it */
export function publishLocalStack(stack: LocalStack, file: string): () => void {
  replaceFile(file, `${JSON.stringify(stack, undefined, 2)}\n`, 0o600)
  return () => rmSync(file, { force: true })
}
