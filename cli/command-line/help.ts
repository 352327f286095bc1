import { type Command, type OptionSpec, orderly } from './command.ts'
import { commonOptions, usageOf } from './parse.ts'

export function helpOf(command: Command | undefined, commands: readonly Command[]): string {
  return command === undefined ? overview(commands) : detail(command)
}

function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(command => nameOf(command).length))
  const lines = commands.map(command => `  ${nameOf(command).padEnd(width)}  ${command.summary}`)
  return [
    'Inspects and repairs a running Orderly.',
    '',
    `${orderly} <command> [options]; ${orderly} <command> --help lists the options.`,
    '',
    ...lines,
    '',
    'Every command accepts --json. The servers are found by the same settings as for the services: KAFKA_BROKERS, DATABASE_URL, …'
  ].join('\n')
}

function detail(command: Command): string {
  const rows = Object.entries({ ...command.options, ...commonOptions }).map(([name, spec]) => [
    optionOf(name, spec),
    spec.description
  ])
  const width = Math.max(...rows.map(([option = '']) => option.length))
  return [
    `${usageOf(command)}: ${command.summary}`,
    '',
    ...rows.map(([option = '', description = '']) => `  ${option.padEnd(width)}  ${description}`),
    '',
    command.examples.length === 1 ? 'Example:' : 'Examples:',
    ...command.examples.map(example => `  ${orderly} ${example}`)
  ].join('\n')
}

function nameOf({ name, argument }: Command): string {
  return argument === undefined ? name : `${name} ${argument}`
}

function optionOf(name: string, { type, placeholder = 'VALUE' }: OptionSpec): string {
  return type === 'boolean' ? `--${name}` : `--${name} ${placeholder}`
}
