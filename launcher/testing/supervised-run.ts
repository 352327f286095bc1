import type { TestContext } from 'node:test'
import type { RunDirectories } from '../directories.ts'
import { createSupervisor, type Supervisor } from '../processes/supervisor.ts'
import { createThrowAwayRun } from '../throw-away-run.ts'

/**
 * Creates folders and a supervisor for one test. All processes are stopped and all files deleted
 * when the test ends.
 */
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
