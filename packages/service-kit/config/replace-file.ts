import { renameSync, rmSync, writeFileSync } from 'node:fs'

/** Writes a file so that readers, and the next start after a crash, see the old or the new content, never a part. */
export function replaceFile(file: string, content: string | Buffer, mode: number): void {
  const unfinished = `${file}.new`
  rmSync(unfinished, { force: true }) // left by a crash, perhaps not writable
  writeFileSync(unfinished, content, { mode })
  renameSync(unfinished, file)
}
