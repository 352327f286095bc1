import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CommandLine, type CommandSpec, markdownTable } from '@orderly/command-line'
import { projectDirectory } from '../directories.ts'

/** A section for each command of a command line with its examples and options. */
export function commandSections({ prefix, commands }: CommandLine<CommandSpec>): string {
  return commands
    .map(({ name, argument, summary, examples, options }) => {
      const rows = Object.entries(options)
        .filter(([option]) => option !== 'json')
        .map(([option, { type, placeholder = 'VALUE', description }]) => [
          `\`--${option}${type === 'boolean' ? '' : ` ${placeholder}`}\``,
          description
        ])
      const usage = `\`${prefix} ${name}${argument === undefined ? '' : ` ${argument}`}\`: ${summary}.`
      const shown = ['```sh', ...examples.map(example => `${prefix} ${example}`), '```'].join('\n')
      const table = rows.length > 0 ? [markdownTable(['option', 'meaning'], rows)] : []
      return [`### ${name}`, usage, shown, ...table].join('\n\n')
    })
    .join('\n\n')
}

/** Returns the command line of each npm script of the project, by its name. */
export function npmScripts(): Readonly<Record<string, string>> {
  const { scripts } = JSON.parse(readFileSync(join(projectDirectory, 'package.json'), 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>
  }
  return scripts
}
