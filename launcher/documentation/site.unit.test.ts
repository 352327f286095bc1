import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pageOf, siteLinks } from './site.ts'

test('pages of docs are at the root of the site, and a README is the index of its folder', () => {
  assert.deepEqual(['README.md', 'docs/README.md', 'docs/guides/a.md', 'packages/kafka/README.md'].map(pageOf), [
    'index.md',
    'documentation.md',
    'guides/a.md',
    'packages/kafka/index.md'
  ])
})

test('links to pages and images become links of the site, links to other files become text', () => {
  const pages = new Set(['docs/guides/a.md', 'docs/guides/b.md', 'README.md'])
  const images = new Set<string>()
  const page = '[b](b.md#x) [home](../../README.md) [code](../../launcher/a.ts) ![plot](p.svg) [web](https://x.example)'
  assert.equal(
    siteLinks(page, 'docs/guides/a.md', pages, images),
    '[b](/guides/b.md#x) [home](/index.md) code ![plot](/docs/guides/p.svg) [web](https://x.example)'
  )
  assert.deepEqual([...images], ['docs/guides/p.svg'])
})

test('fenced code is not changed', () => {
  const page = '```\n[b](b.md)\n```\n'
  assert.equal(siteLinks(page, 'docs/a.md', new Set(['docs/b.md'])), page)
})
