import type { Connections } from '../connections/connections.ts'
import type { Output } from './output.ts'

/** How the tool is called: a command that is named somewhere can be pasted into a shell. */
export const orderly = 'npm run orderly --'

/** One thing the tool does: its name, perhaps an argument, and options, behind `orderly`. */
export interface Command {
  /** One or two words. */
  readonly name: string
  /** What it does, as a phrase that follows its name in the list. */
  readonly summary: string
  /** What it takes beside options, as shown in the usage; `[…]` where it may be left out. */
  readonly argument?: string
  readonly options: Readonly<Record<string, OptionSpec>>
  /** @returns the exit code */
  run(context: CommandContext): Promise<number>
}

export interface OptionSpec {
  readonly type: 'string' | 'boolean'
  /** May be given several times; any of the values then. */
  readonly multiple?: true
  /** Of a string: what stands for its value in the usage. */
  readonly placeholder?: string
  readonly description: string
}

export interface CommandContext {
  /** The argument; undefined only where it may be left out. */
  readonly argument: string | undefined
  readonly options: OptionValues
  readonly output: Output
  readonly connections: Connections
  /** Aborted when the command is to end. */
  readonly signal: AbortSignal
}

export interface OptionValues {
  text(name: string): string | undefined
  texts(name: string): readonly string[]
  flag(name: string): boolean
}

/** What was typed cannot be meant. The message is one sentence that says what to do. */
export class UsageError extends Error {
  /** EX_USAGE of sysexits.h. */
  readonly exitCode = 64
  override readonly name = 'UsageError'
}

/** Something is not as it would have to be; the message says what to do. */
export class Failure extends Error {
  readonly exitCode = 1
  override readonly name = 'Failure'
}
