import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startOfProcess } from '../processes/process-table.ts'
import { waitUntil } from '../processes/wait.ts'
import { Refusal } from '../refusal.ts'

const lockName = 'running.json'

interface Holder {
  readonly pid: number
  /** Tells the holder from a later process with the same id. */
  readonly processStartedAt: string
  /** Of its watchdog, which ends when everything that the run had started is gone. */
  readonly watchdogPID?: number
}

export interface RunLock {
  /** Whether a run before this one ended without giving the lock back. */
  readonly afterCrash: boolean
  /** Resolves when the processes of that run are gone, too. */
  predecessorGone(): Promise<void>
  /** For the run after this one. */
  noteWatchdog(pid: number): void
  release(): void
}

/** One run at a time on one set of data. @throws Refusal while another one runs. */
export function takeRunLock(runDirectory: string): RunLock {
  const file = join(runDirectory, lockName)
  const holder = readHolder(file)
  if (holder !== undefined) {
    if (holder.pid !== process.pid && isAlive(holder)) {
      throw new Refusal(
        `Orderly is running here already (process ${holder.pid}): stop it with Ctrl-C where it was started or with \`kill ${holder.pid}\`, or try \`npm run demo\`, which runs beside it.`
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
    throw new Refusal(
      'Orderly is being started here by somebody else at this moment: wait for it, or try `npm run demo`.'
    )
  }
  return {
    afterCrash: holder !== undefined,
    async predecessorGone() {
      const pid = holder?.watchdogPID
      if (pid === undefined) return
      const what = `the end of what process ${holder?.pid} had started`
      await waitUntil(() => startOfProcess(pid) === undefined, { what, deadlineMs: 30_000 })
    },
    noteWatchdog: watchdogPID => writeFileSync(file, `${JSON.stringify({ ...own, watchdogPID })}\n`),
    release: () => rmSync(file, { force: true })
  }
}

/** Whether a run has the lock of this folder: `dead` when it ended without giving it back. */
export function holderOf(runDirectory: string): 'alive' | 'dead' | undefined {
  const holder = readHolder(join(runDirectory, lockName))
  if (holder === undefined) return undefined
  return isAlive(holder) ? 'alive' : 'dead'
}

/** It names nobody, and not because somebody is writing it at this moment: the machine stopped while it was written. */
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
