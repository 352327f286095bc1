import type { CommandSpec, OptionValues } from '@orderly/command-line'
import type { Connections } from '../connections/connections.ts'
import type { Output } from './output.ts'

/** Prefix of every printed command, so that it can be pasted into a shell. */
export const orderly = 'npm run orderly --'

/** A command of the tool. Its name has one or two words; its examples omit the prefix. */
export interface Command extends CommandSpec {
  /** Runs the command. @returns the exit code */
  run(context: CommandContext): Promise<number>
}

export interface CommandContext {
  /** Undefined only if the argument is optional. */
  readonly argument: string | undefined
  readonly options: OptionValues
  readonly output: Output
  readonly connections: Connections
  /** Aborted when the command must stop. */
  readonly signal: AbortSignal
}

/** The command cannot succeed in the current state. The message says how to fix it. */
export class Failure extends Error {
  readonly exitCode = 1
  override readonly name = 'Failure'
}
