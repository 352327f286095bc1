import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { relative } from 'node:path/posix'

/** Returns the place of a Markdown file on the site. */
export function pageOf(file: string): string {
  if (file === 'docs/README.md') return 'documentation.md'
  return file.replace(/^docs\//, '').replace(/(^|\/)README\.md$/, '$1index.md')
}

/**
 * Copies the pages of the project to the folder from which the site is built. Links between pages
 * become links of the site, images are copied, and links to other files become text.
 */
export function copyPages(project: string, files: readonly string[], target: string): void {
  rmSync(target, { recursive: true, force: true })
  const pages = new Set(files)
  for (const file of files) {
    const images = new Set<string>()
    const text = siteLinks(readFileSync(join(project, file), 'utf8'), file, pages, images)
    const page = join(target, pageOf(file))
    mkdirSync(dirname(page), { recursive: true })
    writeFileSync(page, text)
    for (const image of images)
      if (existsSync(join(project, image))) cpSync(join(project, image), join(target, 'public', image))
  }
}

/** Rewrites the relative links of a page, outside of fenced code, and collects its images. */
export function siteLinks(page: string, file: string, pages: ReadonlySet<string>, images = new Set<string>()): string {
  const link = /(!?)\[((?:[^\][]|\[[^\]]*\])*)\]\(([^)\s]+)\)/g
  return page
    .split(/(^ *```[\s\S]*?^ *```)/m)
    .map((part, index) =>
      index % 2 === 1
        ? part
        : part.replaceAll(link, (all, mark: string, text: string, href: string) => {
            if (/^([a-z][a-z+.-]*:|#)/.test(href)) return all
            const [path = '', anchor] = href.split('#')
            const name = relative('.', join(dirname(file), decodeURIComponent(path)))
            if (mark === '!') {
              images.add(name)
              return `![${text}](/${name})`
            }
            if (!pages.has(name)) return text
            return `[${text}](/${pageOf(name)}${anchor === undefined ? '' : `#${anchor}`})`
          })
    )
    .join('')
}
