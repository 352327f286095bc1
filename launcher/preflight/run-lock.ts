import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startOfProcess } from '../processes/process-table.ts'
import { waitUntil } from '../processes/wait.ts'
import { UserError } from '../user-error.ts'

const lockName = 'running.json'

interface Holder {
  readonly pid: number
  /** Start of the process, which distinguishes the holder from a later process with the same id. */
  readonly processStartedAt: string
  /** Process id of its watchdog, which ends once everything that the run started has ended. */
  readonly watchdogPID?: number
}

export interface RunLock {
  /** True if the previous run ended without releasing the lock. */
  readonly afterCrash: boolean
  /** Resolves when all processes of that run have ended. */
  predecessorGone(): Promise<void>
  /** Stores the watchdog, for the next run. */
  noteWatchdog(pid: number): void
  release(): void
}

/**
 * Takes the lock of a run's folder: one run at a time. @throws UserError while another run has it
 */
export function takeRunLock(runDirectory: string): RunLock {
  const file = join(runDirectory, lockName)
  const holder = readHolder(file)
  if (holder !== undefined) {
    if (holder.pid !== process.pid && isAlive(holder)) {
      throw new UserError(
        `Orderly is already running here (process ${holder.pid}): stop it with Ctrl-C in its terminal or with \`kill ${holder.pid}\`, or use \`npm run demo\`, which runs independently.`
      )
    }
    rmSync(file, { force: true })
  } else if (isLeftOver(file)) rmSync(file, { force: true })
  const own: Holder = { pid: process.pid, processStartedAt: startOfProcess(process.pid) ?? '' }
  try {
    writeFileSync(file, `${JSON.stringify(own)}\n`, { flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      rmSync(file, { force: true })
      throw error
    }
    throw new UserError('Another command is starting Orderly here: wait for it, or use `npm run demo`.')
  }
  return {
    afterCrash: holder !== undefined,
    async predecessorGone() {
      const pid = holder?.watchdogPID
      if (pid === undefined) return
      const what = `the end of the processes that process ${holder?.pid} started`
      await waitUntil(() => startOfProcess(pid) === undefined, { what, deadlineMs: 30_000 })
    },
    noteWatchdog: watchdogPID => writeFileSync(file, `${JSON.stringify({ ...own, watchdogPID })}\n`),
    release: () => rmSync(file, { force: true })
  }
}

/** Returns the state of a folder's lock: `dead` if its holder ended without releasing it. */
export function holderOf(runDirectory: string): 'alive' | 'dead' | undefined {
  const holder = readHolder(join(runDirectory, lockName))
  if (holder === undefined) return undefined
  return isAlive(holder) ? 'alive' : 'dead'
}

/**
 * Returns true for a lock without a holder that is too old to be in the process of being written:
 * the machine stopped while it was written.
 */
function isLeftOver(file: string): boolean {
  const writtenAtMs = statSync(file, { throwIfNoEntry: false })?.mtimeMs
  return writtenAtMs !== undefined && writtenAtMs < Date.now() - 10_000
}

function isAlive({ pid, processStartedAt }: Holder): boolean {
  return startOfProcess(pid) === processStartedAt
}

function readHolder(file: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder
  } catch {
    return undefined
  }
}
