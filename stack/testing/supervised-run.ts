import type { TestContext } from 'node:test'
import type { RunDirectories } from '../directories.ts'
import { createSupervisor, type Supervisor } from '../processes/supervisor.ts'
import { createThrowAwayRun } from '../throw-away-run.ts'

/** Folders and a supervisor of a test's own: what was started ends, and what was written goes, with the test. */
export function superviseRun(
  test: TestContext,
  kind: Parameters<typeof createThrowAwayRun>[0]
): { readonly directories: RunDirectories; readonly supervisor: Supervisor } {
  const { directories, discard } = createThrowAwayRun(kind)
  const supervisor = createSupervisor(directories.logs)
  test.after(async () => {
    await supervisor.stop()
    await discard()
  })
  return { directories, supervisor }
}
