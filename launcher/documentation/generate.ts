/**
 * Writes the generated sections of the reference and of CONTRIBUTING. `--check` compares instead of writing, and exits
 * with 1 on a difference.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { apiKeysCommandLine } from '@orderly/callers'
import { apiNames } from '@orderly/service-kit'
import { commandLine } from '../../cli/commands.ts'
import { projectDirectory } from '../directories.ts'
import { alertsTable } from './alerts.ts'
import { commandSections, npmScripts } from './commands.ts'
import { eventSections } from './events.ts'
import { operationSections } from './http-api.ts'
import { fillSection } from './markdown.ts'
import { metricTables } from './metrics.ts'
import { quotedTexts } from './quoted-texts.ts'
import { settingTables } from './settings.ts'

const remedy = 'npm run generate'

/** The text of each section by its name, for each page. */
const pages: Readonly<Record<string, ReadonlyMap<string, string>>> = {
  'CONTRIBUTING.md': new Map([['quoted-texts', quotedTexts()]]),
  'docs/reference/configuration.md': settingTables(),
  'docs/reference/http-api.md': new Map(apiNames.map(name => [name, operationSections(name)])),
  'docs/reference/events.md': new Map([['events', eventSections()]]),
  'docs/reference/metrics.md': new Map([...metricTables(), ['alerts', alertsTable()]]),
  'docs/reference/cli.md': new Map([
    ['commands', commandSections(commandLine)],
    ['api-keys', commandSections(apiKeysCommandLine)]
  ])
}

const isCheck = process.argv.includes('--check')
let differences = 0
for (const [name, sections] of Object.entries(pages)) {
  const file = join(projectDirectory, name)
  const present = readFileSync(file, 'utf8')
  const text = [...sections].reduce((page, [section, content]) => fillSection(page, section, content), present)
  if (text === present) continue
  differences++
  if (isCheck) console.error(`${name} differs from its sources: run \`${remedy}\``)
  else writeFileSync(file, text)
}
const commandPage = readFileSync(join(projectDirectory, 'docs/reference/cli.md'), 'utf8')
const missing = Object.keys(npmScripts()).filter(script => !new RegExp(`npm (?:run )?${script}[\` ]`).test(commandPage))
if (missing.length > 0) console.error(`docs/reference/cli.md does not describe the npm scripts ${missing.join(', ')}`)
if (missing.length > 0 || (isCheck && differences > 0)) process.exitCode = 1
else if (!isCheck) console.log(`${differences} pages written`)
