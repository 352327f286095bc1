/**
 * Checks comments, documents, test titles and messages for phrases that the style guide avoids
 * (CONTRIBUTING.md). Prints `file:line`, the phrase and a suggestion. Exits with 1 on a hit.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectDirectory } from '../directories.ts'
import { proseInMarkdown, proseInSource } from './prose.ts'

const listed = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts', '*.mjs', '*.md'],
  {
    cwd: projectDirectory,
    encoding: 'utf8'
  }
)
// Generated files follow from their sources, results of the benchmark are measurements, and the
// reference of events quotes released schemas, which are never edited. The last ones list the
// phrases.
const exempt = [
  /(^|\/)generated\/|\.d\.ts$|^quality\/bench\/results\//,
  /^docs\/reference\/events\.md$/,
  /^docs\/glossary\.md$|^launcher\/documentation\/prose(\.unit\.test)?\.ts$/
]
const files = listed
  .split('\n')
  .filter(
    file => file !== '' && !exempt.some(pattern => pattern.test(file)) && existsSync(join(projectDirectory, file))
  )
let count = 0
for (const file of files) {
  const text = readFileSync(join(projectDirectory, file), 'utf8')
  for (const { line, found, instead } of file.endsWith('.md') ? proseInMarkdown(text) : proseInSource(text)) {
    count++
    console.error(`${file}:${line}  "${found}": write ${instead}`)
  }
}
if (count > 0) {
  console.error(`${count} phrases to avoid; docs/glossary.md has the terms to use`)
  process.exitCode = 1
}
