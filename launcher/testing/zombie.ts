import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { listProcesses } from '../processes/process-table.ts'
import { waitUntil } from '../processes/wait.ts'

/**
 * Starts a process that ends without its parent reading its exit code.
 *
 * @returns its process id
 */
export async function startZombie(
  t: TestContext,
  user?: { readonly uid: number; readonly gid: number }
): Promise<number> {
  const parent = spawn('/bin/sh', ['-c', 'exec 3<&0; sh -c "read line" <&3 & echo $!; exec sleep 600'], {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'ignore'],
    ...user
  })
  t.after(() => parent.kill('SIGKILL'))
  const [line] = await once(parent.stdout, 'data')
  const pid = Number(String(line))
  // The shell could wait for its children; `sleep`, which replaces it, does not.
  const isSleep = async () =>
    (await listProcesses()).some(listed => listed.pid === parent.pid && listed.command === 'sleep 600')
  await waitUntil(isSleep, { what: `process ${parent.pid} to become sleep`, deadlineMs: 30_000 })
  parent.stdin.end()
  const isZombie = async () => (await listProcesses()).some(listed => listed.pid === pid && listed.isZombie)
  await waitUntil(isZombie, { what: `process ${pid} to end`, deadlineMs: 30_000 })
  return pid
}
