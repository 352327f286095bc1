import { type Arguments, type CommandSpec, readArguments, UsageError } from '@orderly/command-line'
import { ConfigError, escapeControlsInLines, exitWhenWritten, maskSecrets } from '@orderly/service-kit'
import type { LogLimits } from '../processes/log-rotation.ts'
import { createSupervisor, type Supervisor } from '../processes/supervisor.ts'
import { UserError } from '../user-error.ts'

export interface CommandContext extends Pick<Arguments, 'options' | 'positionals'> {
  /** Creates a supervisor. Everything it starts is stopped when the command ends for any reason. */
  supervise(logDirectory: string, logLimits?: LogLimits): Supervisor
  /** Aborted when the command must end. */
  readonly signal: AbortSignal
}

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Parses the arguments, runs a launcher command and exits with its code. The first signal stops everything it started. A
 * terminal, npm and the bootstrap script may each deliver the same Ctrl-C, so a second signal
 * counts only after one second.
 */
export async function runCommand(
  spec: CommandSpec,
  command: (context: CommandContext) => Promise<number>
): Promise<never> {
  const { options, positionals } = readArguments(spec)
  const supervisors: Supervisor[] = []
  const stopping = new AbortController()
  let signalledAt: number | undefined
  const stopAll = () => Promise.all(supervisors.map(supervisor => supervisor.stop()))

  const onSignal = (signal: NodeJS.Signals) => {
    if (signalledAt === undefined) {
      signalledAt = performance.now()
      stopping.abort(signal)
      void stopAll()
    } else if (performance.now() - signalledAt > 1000) {
      process.exit(1)
    }
  }
  for (const signal of stopSignals) process.on(signal, onSignal)

  let exitCode = 1
  try {
    exitCode = await command({
      options,
      positionals,
      signal: stopping.signal,
      supervise(logDirectory, logLimits) {
        const supervisor = createSupervisor(logDirectory, logLimits)
        supervisors.push(supervisor)
        return supervisor
      }
    })
  } catch (error) {
    if (stopping.signal.aborted) exitCode = 130
    else process.stderr.write(`${escapeControlsInLines(maskSecrets(explain(error)))}\n`)
    if (error instanceof ConfigError || error instanceof UsageError) exitCode = error.exitCode
  }
  await stopAll()
  return exitWhenWritten(exitCode)
}

function explain(error: unknown): string {
  if (error instanceof UserError || error instanceof ConfigError || error instanceof UsageError) return error.message
  if (isDiskFull(error)) return fullDisk
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

const fullDisk =
  'The disk of this project is full: free some of it, or delete old data with `npm run reset`, and run this again.'

export function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(String((error as NodeJS.ErrnoException | undefined)?.code))
}
