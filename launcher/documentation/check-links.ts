/**
 * Checks the links of all Markdown files, and the pages that sources mention. Exits with 1 on a
 * dead link.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { projectDirectory } from '../directories.ts'
import { deadLinks, deadMentions } from './links.ts'

const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: projectDirectory,
  encoding: 'utf8',
  maxBuffer: 64 * 1024 * 1024
})
const files = listed.split('\n').filter(file => file !== '' && existsSync(join(projectDirectory, file)))
const pages = files.filter(file => file.endsWith('.md'))
// Tests of this folder and of the doctor mention pages that do not exist.
const sources = files.filter(file => /\.(ts|ya?ml|json|sql|mjs)$|Dockerfile$/.test(file) && !file.endsWith('.test.ts'))
const dead = [
  ...pages.flatMap(file => deadLinks(projectDirectory, file)),
  ...sources.flatMap(file => deadMentions(projectDirectory, file))
]
for (const { at, problem } of dead) console.error(`${at}  ${problem}`)
if (dead.length > 0) process.exitCode = 1
