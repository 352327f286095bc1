/** Arguments, help, values and tables of all command lines. */

export { type CommandSpec, commonOptions, type OptionSpec } from './command-spec.ts'
export { parseNumber, plural } from './numbers.ts'
export {
  type Arguments,
  type CommandLine,
  HelpRequest,
  type OptionValues,
  parseCommand,
  parseCommandLine,
  readArguments
} from './parse.ts'
export { type Column, formatRows, formatTable, markdownTable } from './table.ts'
export { formatDuration, formatTime, parseDuration, parseMoment } from './time.ts'
export { UsageError } from './usage-error.ts'
