/** A command with its argument and options: the source of its parser, its help and its reference page. */
export interface CommandSpec {
  /** The words that select the command, or the whole command line up to its arguments, such as `npm start --`. */
  readonly name: string
  /** Phrase that follows the name in the overview. */
  readonly summary: string
  /** Name of the argument; in brackets if it is optional, with dots if it may be repeated: `[TOPIC]`, `[NAME...]`. */
  readonly argument?: string
  /** Complete command lines, without the prefix that all commands of a command line share. */
  readonly examples: readonly [string, ...string[]]
  readonly options: Readonly<Record<string, OptionSpec>>
  /** Text after the options in the help. */
  readonly notes?: string
}

export interface OptionSpec {
  readonly type: 'string' | 'boolean'
  /** True if the option may be repeated; any of its values then matches. */
  readonly multiple?: true
  /** Placeholder of a string value in the usage. */
  readonly placeholder?: string
  readonly description: string
}

/** Option of every command that prints a result. */
export const commonOptions = {
  json: { type: 'boolean', description: 'print one JSON document instead of text' }
} as const satisfies Readonly<Record<string, OptionSpec>>
