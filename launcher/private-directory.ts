import { chmodSync, mkdirSync } from 'node:fs'

/** Creates a directory that only its owner can enter, or restricts an existing one. */
export function makePrivateDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true })
  chmodSync(directory, 0o700)
}
