import { cpSync, existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { defineConfig } from 'vitepress'
import { slugOf } from '../../../launcher/documentation/headings.ts'

const pages = resolve(import.meta.dirname, '../pages')

/** Turns Mermaid blocks into the component that renders them. */
function mermaidBlocks(md) {
  const usual = md.renderer.rules.fence
  md.renderer.rules.fence = (tokens, index, ...rest) =>
    tokens[index].info.trim() === 'mermaid'
      ? `<Mermaid code="${encodeURIComponent(tokens[index].content)}" />`
      : usual(tokens, index, ...rest)
}

/** Returns a sidebar group with the links below a heading of the contents page. */
function groupOf(heading) {
  const text = readFileSync(join(pages, 'documentation.md'), 'utf8')
  const section = text.split(`## ${heading}\n`)[1]?.split(/^## /m)[0] ?? ''
  const links = [...section.matchAll(/\[([^\]]+)\]\((\/[^)#]+\.md)\)/g)]
  const items = links.map(([, text, link]) => ({ text, link })).filter(({ link }) => existsSync(join(pages, link)))
  return { text: heading, items }
}

export default defineConfig({
  lang: 'en',
  title: 'Orderly',
  description: 'An event-driven order pipeline on Apache Kafka that never loses, doubles or half-reserves an order.',
  srcDir: 'pages',
  outDir: '../../.orderly/site',
  cacheDir: '../../.orderly/site-cache',
  markdown: { anchor: { slugify: slugOf }, config: mermaidBlocks },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Tutorial', link: '/tutorial/your-own-event' },
      { text: 'Documentation', link: '/documentation' },
      { text: 'Architecture', link: '/explanation/architecture' },
      // Written by TypeDoc after the build.
      { text: 'Kafka library', link: '/api/kafka/index.html', target: '_self' },
      { text: 'Client', link: '/api/client/index.html', target: '_self' },
      { text: 'Changes', link: '/CHANGELOG' }
    ],
    sidebar: ['Tutorial', 'Guides', 'Reference', 'Explanation'].map(groupOf)
  },
  buildEnd({ outDir }) {
    const mermaid = resolve(import.meta.dirname, '../node_modules/mermaid/dist')
    for (const name of ['mermaid.esm.min.mjs', 'chunks/mermaid.esm.min'])
      cpSync(join(mermaid, name), join(outDir, 'mermaid', name), {
        recursive: true,
        filter: file => !file.endsWith('.map')
      })
  }
})
