import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { commands } from '../../cli/commands.ts'
import { projectDirectory } from '../directories.ts'
import { markdownTable } from './markdown.ts'

/** A section for each command of `npm run orderly` with its examples and options. */
export function commandSections(): string {
  return commands
    .map(({ name, argument, summary, examples, options }) => {
      const rows = Object.entries(options).map(([option, { type, placeholder = 'VALUE', description }]) => [
        `\`--${option}${type === 'boolean' ? '' : ` ${placeholder}`}\``,
        description
      ])
      const usage = `\`npm run orderly -- ${name}${argument === undefined ? '' : ` ${argument}`}\`: ${summary}.`
      const shown = ['```sh', ...examples.map(example => `npm run orderly -- ${example}`), '```'].join('\n')
      const table = rows.length > 0 ? [markdownTable(['option', 'meaning'], rows)] : []
      return [`### ${name}`, usage, shown, ...table].join('\n\n')
    })
    .join('\n\n')
}

/** The names of all npm scripts of the project. */
export function npmScripts(): readonly string[] {
  const { scripts } = JSON.parse(readFileSync(join(projectDirectory, 'package.json'), 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>
  }
  return Object.keys(scripts)
}
