import type { Connections } from '../connections/connections.ts'
import type { Output } from './output.ts'

/** Prefix of every printed command, so that it can be pasted into a shell. */
export const orderly = 'npm run orderly --'

/** A command of the tool, with its name, argument and options. */
export interface Command {
  /** One or two words. */
  readonly name: string
  /** Phrase that follows the name in the overview. */
  readonly summary: string
  /** Name of the argument in the usage; in brackets if it is optional. */
  readonly argument?: string
  /** Command lines without the prefix `npm run orderly --`, for the help. */
  readonly examples: readonly [string, ...string[]]
  readonly options: Readonly<Record<string, OptionSpec>>
  /** Runs the command. @returns the exit code */
  run(context: CommandContext): Promise<number>
}

export interface OptionSpec {
  readonly type: 'string' | 'boolean'
  /** True if the option may be repeated; any of its values then matches. */
  readonly multiple?: true
  /** Placeholder of a string value in the usage. */
  readonly placeholder?: string
  readonly description: string
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

export interface OptionValues {
  text(name: string): string | undefined
  texts(name: string): readonly string[]
  flag(name: string): boolean
}

/** Invalid arguments. The message is one sentence that says how to correct them. */
export class UsageError extends Error {
  /** EX_USAGE in sysexits.h. */
  readonly exitCode = 64
  override readonly name = 'UsageError'
}

/** The command cannot succeed in the current state. The message says how to fix it. */
export class Failure extends Error {
  readonly exitCode = 1
  override readonly name = 'Failure'
}
