import { readFile } from 'node:fs/promises'
import type { TestContext } from 'node:test'
import { projectDirectory } from '../directories.ts'
import type { ProcessExit } from '../processes/supervisor.ts'
import { waitUntilHealthy } from '../processes/wait.ts'
import { type AnyServiceName, mainFile } from '../services.ts'
import { withOwnRole } from './environment.ts'
import { superviseRun } from './supervised-run.ts'

export type LogLine = Readonly<Record<string, unknown>>

/** A service in a real process, as in production. */
export interface TestService {
  /** Address of its HTTP interface. */
  readonly url: string
  readonly pid: number
  readonly exit: Promise<ProcessExit>
  signal(signal: NodeJS.Signals): void
  stop(signal?: NodeJS.Signals): Promise<ProcessExit>
  /** Returns its current log, line by line. */
  logs(): Promise<LogLine[]>
}

/**
 * Starts a service on a free port and resolves when it is ready. It is stopped when the test ends.
 * @param directory root of its code
 */
export async function startService(
  test: TestContext,
  name: AnyServiceName,
  env: NodeJS.ProcessEnv,
  directory = projectDirectory
): Promise<TestService> {
  const { supervisor } = superviseRun(test, 'service')
  const child = supervisor.start({
    name,
    tier: 'service',
    command: process.execPath,
    args: [mainFile(name, directory)],
    cwd: directory,
    env: { ...process.env, HTTP_PORT: '0', ...withOwnRole(name, env) }
  })
  const logs = () => readLogLines(child.logFile)
  let url: string | undefined
  const isReady = async () => {
    url ??= (await logs()).find(({ msg }) => msg === 'listening')?.address as string | undefined
    return url !== undefined && (await fetch(`${url}/health/ready`)).ok
  }
  await waitUntilHealthy(child, isReady, 60_000)
  return {
    url: url as unknown as string,
    pid: child.pid,
    exit: child.exited,
    signal: child.signal,
    stop(signal = 'SIGTERM') {
      child.signal(signal)
      return child.exited
    },
    logs
  }
}

/** Reads the complete lines of a log; the last one may be incomplete. */
async function readLogLines(file: string): Promise<LogLine[]> {
  const text = await readFile(file, 'utf8')
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  return whole
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line) as LogLine)
}
