import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'

const run = promisify(execFile)

/**
 * Copies the data of a running Postgres with the low-level backup functions. pg_basebackup is not
 * among the installed binaries.
 */
export async function takeBaseBackup(superuserURL: string, from: string, to: string): Promise<void> {
  const client = new pg.Client({ connectionString: superuserURL })
  await client.connect()
  try {
    await client.query("SELECT pg_backup_start('test', true)")
    // Keeps the owner of the files. Files that the server removes in the meantime are covered by
    // the write-ahead log.
    await run('cp', ['-a', from, to]).catch(error => {
      if (!/No such file/.test(error.stderr)) throw error
    })
    const { rows } = await client.query('SELECT labelfile FROM pg_backup_stop(false)')
    // The write-ahead log since the start of the backup is part of it.
    await rm(join(to, 'pg_wal'), { recursive: true, force: true })
    await run('cp', ['-a', join(from, 'pg_wal'), join(to, 'pg_wal')])
    for (const name of ['postmaster.pid', 'postmaster.opts']) await rm(join(to, name), { force: true })
    await writeFile(join(to, 'backup_label'), rows[0].labelfile, { mode: 0o644 })
  } finally {
    await client.end()
  }
  await takeOwner(from, to)
}

/** Gives files the owner of another file. */
export async function takeOwner(from: string, to: string): Promise<void> {
  const { stdout } = await run('stat', ['-c', '%u:%g', from])
  await run('chown', ['-R', stdout.trim(), to])
}
