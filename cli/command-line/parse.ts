import { parseArgs } from 'node:util'
import { type Command, type OptionSpec, type OptionValues, orderly, UsageError } from './command.ts'

export interface Invocation {
  readonly command: Command
  readonly argument: string | undefined
  readonly options: OptionValues
  readonly isJson: boolean
}

/** Options of every command. */
export const commonOptions: Readonly<Record<string, OptionSpec>> = {
  json: { type: 'boolean', description: 'print one JSON document instead of text' },
  help: { type: 'boolean', description: 'show this help' }
}

/**
 * Finds the command that the words name, and parses the remaining words.
 * @returns the command alone, or nothing, if help is requested
 * @throws UsageError
 */
export function parseInvocation(
  words: readonly string[],
  commands: readonly Command[]
): Invocation | { readonly help: Command | undefined } {
  const command = commands.find(({ name }) => startsWith(words, name))
  if (command === undefined) {
    if (words.length === 0 || words.includes('--help') || words[0] === 'help') return { help: undefined }
    const group = commands.filter(({ name }) => name.startsWith(`${words[0]} `)).map(({ name }) => name)
    if (group.length > 0)
      throw new UsageError(`Incomplete command: use one of ${group.map(name => `${orderly} ${name}`).join(', ')}.`)
    throw new UsageError(`Unknown command "${words[0]}": ${orderly} --help lists all commands.`)
  }
  const specs = { ...command.options, ...commonOptions }
  const { values, positionals } = parse(words.slice(command.name.split(' ').length), specs, command)
  if (values.help === true) return { help: command }
  const [argument, ...others] = positionals
  if (others.length > 0 || (argument !== undefined && command.argument === undefined)) {
    throw new UsageError(`Unexpected argument "${others[0] ?? argument}": ${usageOf(command)}.`)
  }
  if (argument === undefined && command.argument?.startsWith('[') === false) {
    throw new UsageError(`${command.argument} is missing: ${usageOf(command)}.`)
  }
  const text = (name: string) => values[name] as string | readonly string[] | undefined
  return {
    command,
    argument,
    isJson: values.json === true,
    options: {
      text: name => text(name) as string | undefined,
      texts: name => (text(name) as readonly string[] | undefined) ?? [],
      flag: name => values[name] === true
    }
  }
}

export function usageOf({ name, argument }: Command): string {
  return [orderly, name, argument, '[options]'].filter(part => part !== undefined).join(' ')
}

function parse(words: readonly string[], specs: Readonly<Record<string, OptionSpec>>, command: Command) {
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, { type, multiple }]) => [name, { type, ...(multiple && { multiple }) }])
  )
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true })
  } catch (error) {
    const [reason] = (error as Error).message.split(/\. |\.?\n/)
    throw new UsageError(`${reason}: ${orderly} ${command.name} --help lists the options.`)
  }
}

function startsWith(words: readonly string[], name: string): boolean {
  return name.split(' ').every((part, index) => words[index] === part)
}
