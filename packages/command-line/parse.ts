import { escapeControlsInLines } from '@orderly/service-kit'
import { Command, type CommanderError, Option } from 'commander'
import type { CommandSpec, OptionSpec } from './command-spec.ts'
import { UsageError } from './usage-error.ts'

export interface OptionValues {
  text(name: string): string | undefined
  /** Returns all values of an option that may be repeated. */
  texts(name: string): readonly string[]
  flag(name: string): boolean
}

export interface Arguments<Spec extends CommandSpec = CommandSpec> {
  readonly command: Spec
  readonly positionals: readonly string[]
  readonly options: OptionValues
}

export interface CommandLine<Spec extends CommandSpec> {
  /** The words before the name of each command, such as `npm run orderly --`. */
  readonly prefix: string
  readonly summary: string
  readonly notes?: string
  readonly commands: readonly Spec[]
}

/** Thrown if the user asks for help. The message is the help. */
export class HelpRequest extends Error {
  readonly exitCode = 0
  override readonly name = 'HelpRequest'
}

/**
 * Parses the arguments of a program that is a single command.
 * @throws UsageError
 * @throws HelpRequest
 */
export function parseCommand<Spec extends CommandSpec>(spec: Spec, words: readonly string[]): Arguments<Spec> {
  const found: Found<Spec> = { help: '' }
  const program = createProgram(spec.name, found)
  defineCommand(program, spec, '', found)
  return run(program, words, found, error => explain(error, spec.name))
}

/**
 * Finds the command that the words name, and parses its arguments. Without words the user gets the
 * overview.
 * @throws UsageError
 * @throws HelpRequest
 */
export function parseCommandLine<Spec extends CommandSpec>(
  line: CommandLine<Spec>,
  words: readonly string[]
): Arguments<Spec> {
  const { prefix, commands } = line
  if (words.length === 0) throw new HelpRequest(overviewOf(line, commands))
  const found: Found<Spec> = { help: '' }
  const program = createProgram(prefix, found).enablePositionalOptions()
  for (const spec of commands) {
    const command = spec.name.split(' ').reduce(subcommandOf, program)
    defineCommand(command, spec, `${prefix} `, found)
  }
  for (const group of [program, ...program.commands]) {
    const members = commands.filter(({ name }) => group === program || name.startsWith(`${group.name()} `))
    const isCommand = commands.some(({ name }) => name === group.name())
    if (members.length > 0 && !isCommand) group.configureHelp({ formatHelp: () => overviewOf(line, members) })
  }
  return run(program, words, found, error => {
    const command = commands.find(({ name }) => `${words.join(' ')} `.startsWith(`${name} `))
    const members = commands.filter(({ name }) => name.startsWith(`${words[0]} `))
    if (error.code === 'commander.help') {
      return `Incomplete command: use one of ${members.map(({ name }) => `${prefix} ${name}`).join(', ')}.`
    }
    return explain(error, command === undefined ? prefix : `${prefix} ${command.name}`)
  })
}

/**
 * Parses this process's arguments for a program that is a single command. Ends the process with the
 * help, or with the error and code 64.
 */
export function readArguments(spec: CommandSpec): Arguments {
  try {
    return parseCommand(spec, process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof HelpRequest || error instanceof UsageError)) throw error
    const stream = error instanceof HelpRequest ? process.stdout : process.stderr
    stream.write(`${escapeControlsInLines(error.message)}\n`)
    process.exit(error.exitCode)
  }
}

/** Receives what is parsed, or the help that is asked for. */
interface Found<Spec extends CommandSpec> {
  arguments?: Arguments<Spec>
  help: string
}

function createProgram(name: string, found: Found<CommandSpec>): Command {
  const program = new Command(name).exitOverride().helpOption('-h, --help', 'show this help')
  program.configureOutput({
    writeOut: text => {
      found.help += text
    },
    writeErr: () => {},
    getOutHelpWidth: () => Math.min(process.stdout.columns ?? 120, 120)
  })
  return program.configureHelp({ optionTerm: ({ flags }) => flags.replaceAll(/[<>]/g, '') })
}

function subcommandOf(parent: Command, name: string): Command {
  return parent.commands.find(command => command.name() === name) ?? parent.command(name)
}

/** Defines arguments, options and help. */
function defineCommand<Spec extends CommandSpec>(
  command: Command,
  spec: Spec,
  prefix: string,
  found: Found<Spec>
): void {
  const { summary, argument, options, examples, notes } = spec
  command.description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`)
  if (argument !== undefined) command.argument(argument.startsWith('[') ? argument : `<${argument}>`)
  for (const [name, option] of Object.entries(options)) command.addOption(optionOf(name, option))
  const heading = examples.length === 1 ? 'Example' : 'Examples'
  if (notes !== undefined) command.addHelpText('after', `\n${notes}`)
  command.addHelpText('after', `\n${heading}:\n${examples.map(example => `  ${prefix}${example}`).join('\n')}`)
  command.action(() => {
    const optionValue = (name: string) => command.getOptionValue(camelCase(name)) as unknown
    found.arguments = {
      command: spec,
      positionals: command.args,
      options: {
        text: name => optionValue(name) as string | undefined,
        texts: name => (optionValue(name) as readonly string[] | undefined) ?? [],
        // npm keeps known options, as in `npm run demo --json`, and passes them as variables.
        flag: name => optionValue(name) === true || (name === 'json' && process.env.npm_config_json === 'true')
      }
    }
  })
}

function optionOf(name: string, { type, placeholder = 'VALUE', multiple, description }: OptionSpec): Option {
  if (type === 'boolean') return new Option(`--${name}`, description)
  return new Option(`--${name} <${placeholder}>`, description).argParser<string | string[]>((value, previous) => {
    if (value.startsWith('--')) throw new UsageError(`--${name} needs a value: ${placeholder}, ${description}.`)
    return multiple ? [...((previous as string[] | undefined) ?? []), value] : value
  })
}

function run<Spec extends CommandSpec>(
  program: Command,
  words: readonly string[],
  found: Found<Spec>,
  describe: (error: CommanderError) => string
): Arguments<Spec> {
  try {
    program.parse(words, { from: 'user' })
  } catch (error) {
    if (error instanceof UsageError) throw error
    if ((error as CommanderError).exitCode === 0) throw new HelpRequest(found.help.trimEnd())
    throw new UsageError(describe(error as CommanderError))
  }
  return found.arguments as Arguments<Spec>
}

/** Returns the message of commander as one sentence, with the command that shows the help. */
function explain({ message }: CommanderError, command: string): string {
  const [reason = '', suggestion] = message.replace(/^error: /, '').split('\n')
  const sentence = `${reason[0]?.toUpperCase()}${reason.slice(1)}`.replace(/\.$/, '')
  const hint = suggestion === undefined ? '' : ` ${suggestion}`
  return `${sentence}.${hint} ${command} --help shows the usage.`
}

function overviewOf<Spec extends CommandSpec>(
  { prefix, summary, notes }: CommandLine<Spec>,
  commands: readonly Spec[]
): string {
  const terms = commands.map(({ name, argument }) => (argument === undefined ? name : `${name} ${argument}`))
  const width = Math.max(...terms.map(term => term.length))
  return [
    summary,
    '',
    `${prefix} <command> [options]; ${prefix} <command> --help lists the options and shows examples.`,
    '',
    ...commands.map((command, index) => `  ${terms[index]?.padEnd(width)}  ${command.summary}`),
    ...(notes === undefined ? [] : ['', notes]),
    '',
    'Examples:',
    ...commands.slice(0, 2).map(({ examples: [first] }) => `  ${prefix} ${first}`)
  ].join('\n')
}

function camelCase(name: string): string {
  return name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
