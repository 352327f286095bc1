import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { withOwnRole } from '@orderly/stack/testing'

const main = join(import.meta.dirname, '../main.ts')
const killing = pathToFileURL(join(import.meta.dirname, 'kill-at-point.ts')).href

export interface ToolRun {
  /** The exit code, or the signal that ended it. */
  readonly code: number | NodeJS.Signals
  readonly stdout: string
  readonly stderr: string
}

/** Runs the tool as a process, with the role of operators in the database of a test. KILL_AT in the environment kills it at that point of a transaction. */
export function runTool(environment: NodeJS.ProcessEnv, ...args: readonly string[]): Promise<ToolRun> {
  const preload = environment.KILL_AT === undefined ? [] : ['--import', killing]
  return new Promise(resolve => {
    // The stack of a developer who runs the tests is not the one under test.
    const own = { ...process.env, ORDERLY_STACK: 'none', ...withOwnRole('operator', environment) }
    const options = { env: own, maxBuffer: 64 * 1024 * 1024 }
    execFile(process.execPath, [...preload, main, ...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : ((error.signal as NodeJS.Signals | null) ?? Number(error.code))
      resolve({ code, stdout, stderr })
    })
  })
}

/** What it printed with --json. @throws Error with what it said on standard error where that is not JSON */
export async function askTool<Answer>(environment: NodeJS.ProcessEnv, ...args: readonly string[]): Promise<Answer> {
  const { stdout, stderr } = await runTool(environment, ...args, '--json')
  try {
    return JSON.parse(stdout)
  } catch {
    throw new Error(`orderly ${args.join(' ')} printed no JSON:\n${stdout}${stderr}`)
  }
}
