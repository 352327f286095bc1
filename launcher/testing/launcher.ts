import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { projectDirectory } from '../directories.ts'
import { waitUntil } from '../processes/wait.ts'
import { ownEnvironment } from './own-environment.ts'

/** A command of the launcher in a separate process. */
export interface LauncherProcess {
  readonly child: ChildProcess
  output(): { stdout: string; stderr: string }
  /** Resolves when standard output or standard error contains the text. */
  waitFor(text: string, deadlineMs?: number): Promise<void>
  ended(): Promise<{ code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>
}

/** The same flag as in bootstrap.mjs. */
const smallHeap = '--max-semi-space-size=4'

export function startLauncher(
  test: TestContext,
  command: 'start' | 'demo',
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {}
): LauncherProcess {
  const program = join(projectDirectory, 'launcher', 'commands', `${command}.ts`)
  const child = spawn(process.execPath, [smallHeap, program, ...args], {
    cwd: projectDirectory,
    env: { ...ownEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', text => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', text => (output.stderr += text))
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  test.after(async () => {
    child.kill('SIGTERM')
    await closed
  })
  return {
    child,
    output: () => output,
    async waitFor(text, deadlineMs = 120_000) {
      const isThere = () => output.stdout.includes(text) || output.stderr.includes(text)
      const hasEnded = () => child.exitCode !== null || child.signalCode !== null
      await waitUntil(() => isThere() || hasEnded(), { what: `"${text}" from ${command}`, deadlineMs })
      if (!isThere()) throw new Error(`${command} ended without printing "${text}":\n${output.stderr}`)
    },
    async ended() {
      const [code, signal] = await closed
      return { code, signal, ...output }
    }
  }
}
