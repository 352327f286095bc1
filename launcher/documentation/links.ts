import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { anchorsOf, withoutCode } from './headings.ts'

export interface DeadLink {
  /** `file:line` */
  readonly at: string
  readonly problem: string
}

/** Finds the relative links of a Markdown file whose file, folder or heading does not exist. */
export function deadLinks(directory: string, file: string): DeadLink[] {
  const lines = withoutCode(readFileSync(join(directory, file), 'utf8')).split('\n')
  return lines.flatMap((line, index) =>
    [...line.replaceAll(/`[^`]*`/g, '').matchAll(/\]\(([^)\s]+)(?: "[^"]*")?\)/g)].flatMap(([, target = '']) => {
      const problem = problemWith(directory, file, target)
      return problem === undefined ? [] : [{ at: `${file}:${index + 1}`, problem: `${target}: ${problem}` }]
    })
  )
}

function problemWith(directory: string, file: string, target: string): string | undefined {
  if (/^[a-z][a-z+.-]*:/.test(target)) return undefined
  if (target.startsWith('/')) return 'links are relative paths'
  const [path = '', anchor] = target.split('#')
  const name = path === '' ? file : relative(directory, join(directory, dirname(file), decodeURIComponent(path)))
  if (name.startsWith('..')) return 'the link leaves the project'
  if (!existsSync(join(directory, name))) return 'the file does not exist'
  if (anchor === undefined) return undefined
  if (!name.endsWith('.md')) return 'only pages have anchors'
  const hasAnchor = anchorsOf(readFileSync(join(directory, name), 'utf8')).has(decodeURIComponent(anchor))
  return hasAnchor ? undefined : 'the page has no such heading'
}

/** Finds paths of pages in a source file, such as the runbook of an alert, that do not exist. */
export function deadMentions(directory: string, file: string): DeadLink[] {
  const lines = readFileSync(join(directory, file), 'utf8').split('\n')
  return lines.flatMap((line, index) =>
    [...line.matchAll(/\bdocs\/[A-Za-z0-9/_.-]+\.md\b/g)]
      .filter(([path]) => !existsSync(join(directory, path)))
      .map(([path]) => ({ at: `${file}:${index + 1}`, problem: `${path}: the file does not exist` }))
  )
}
