import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import type { StageFailpoint } from '@orderly/kafka'
import { mainFile, type ServiceName } from '../services.ts'
import { withOwnRole } from './environment.ts'

/** Module to preload into a process that kills itself at the failpoint that `KILL_AT` names. */
export const killAtFailpoint = import.meta.resolve('./kill-at-failpoint.ts')

/** Runs a service until it kills itself when its stage passes the failpoint for the n-th time. */
export async function runUntilKilled(
  test: Pick<TestContext, 'after'>,
  name: ServiceName,
  { point, pass }: { readonly point: StageFailpoint; readonly pass: number },
  env: NodeJS.ProcessEnv
): Promise<void> {
  const child = spawn(process.execPath, [mainFile(name)], {
    env: {
      ...process.env,
      HTTP_PORT: '0',
      NODE_OPTIONS: `--import=${killAtFailpoint}`,
      KILL_AT: `${point}:${pass}`,
      ...withOwnRole(name, env)
    },
    stdio: 'ignore'
  })
  test.after(() => child.kill('SIGKILL'))
  const [code, signal] = await once(child, 'exit', { signal: AbortSignal.timeout(60_000) })
  assert.deepEqual({ code, signal }, { code: null, signal: 'SIGKILL' })
}
