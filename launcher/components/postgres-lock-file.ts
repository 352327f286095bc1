import { readFile, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { listProcesses, workDirectory } from '../processes/process-table.ts'
import { waitUntil } from '../processes/wait.ts'
import { UserError } from '../user-error.ts'

const lockFileName = 'postmaster.pid'

/**
 * Waits until the Postgres of an earlier run and its children have ended, then removes its lock
 * file.
 *
 * A killed Postgres leaves its lock file. Its successor refuses to start while a process has the id
 * in that file, even if that process is a zombie or an unrelated program with the same id.
 *
 * @throws UserError if that Postgres does not end
 */
export async function clearLockFile(dataDirectory: string, { deadlineMs = 30_000 } = {}): Promise<void> {
  const file = join(dataDirectory, lockFileName)
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return
  const postmasterPID = Number(text.split('\n')[0])
  const folder = await realpath(dataDirectory)
  const running = () => processesOf(postmasterPID, folder)
  await waitUntil(async () => (await running()).length === 0, { what: 'its end', deadlineMs }).catch(async error => {
    const [pid] = await running()
    if (pid === undefined) throw error
    throw new UserError(
      `Another Postgres (process ${pid}) still uses the data in ${dataDirectory}: stop it with \`kill -INT ${pid}\`, then try again.`
    )
  })
  await rm(file, { force: true })
}

/**
 * Returns the processes of a Postgres. The children of a killed postmaster live slightly longer;
 * their working directory is the data folder.
 */
async function processesOf(postmasterPID: number, folder: string): Promise<number[]> {
  const living = (await listProcesses()).filter(({ isZombie }) => !isZombie)
  const isOne = await Promise.all(
    living.map(
      async ({ pid, command }) =>
        /(^|\/)postgres(:| |$)/.test(command) && (pid === postmasterPID || (await workDirectory(pid)) === folder)
    )
  )
  return living.filter((_, index) => isOne[index]).map(({ pid }) => pid)
}
