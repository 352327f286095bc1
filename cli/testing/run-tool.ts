import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { killAtFailpoint, withOwnRole } from '@orderly/launcher/testing'

const main = join(import.meta.dirname, '../main.ts')

export interface ToolRun {
  /** Exit code, or the signal that ended the process. */
  readonly code: number | NodeJS.Signals
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs the tool as a process with the operator role in a test database. KILL_AT in the environment
 * kills it at that failpoint.
 */
export function runTool(environment: NodeJS.ProcessEnv, ...args: readonly string[]): Promise<ToolRun> {
  const preload = environment.KILL_AT === undefined ? [] : ['--import', killAtFailpoint]
  return new Promise(resolve => {
    // The tool must not use the stack of the developer who runs the tests.
    const own = { ...process.env, ORDERLY_STACK: 'none', ...withOwnRole('operator', environment) }
    const options = { env: own, maxBuffer: 64 * 1024 * 1024 }
    execFile(process.execPath, [...preload, main, ...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : ((error.signal as NodeJS.Signals | null) ?? Number(error.code))
      resolve({ code, stdout, stderr })
    })
  })
}

/**
 * Runs the tool with --json and returns its output.
 * @throws Error with standard error if the output is not JSON
 */
export async function askTool<Answer>(environment: NodeJS.ProcessEnv, ...args: readonly string[]): Promise<Answer> {
  const { stdout, stderr } = await runTool(environment, ...args, '--json')
  try {
    return JSON.parse(stdout)
  } catch {
    throw new Error(`orderly ${args.join(' ')} did not print JSON:\n${stdout}${stderr}`)
  }
}
