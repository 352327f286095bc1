import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { anchorsOf, slugOf } from './headings.ts'
import { deadLinks, deadMentions } from './links.ts'

function directoryWith(t: TestContext, files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-links-'))
  t.after(() => rmSync(directory, { recursive: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  return directory
}

describe('dead links', () => {
  test('a link to a missing file, heading or folder outside of the project is reported with its line', t => {
    const directory = directoryWith(t, {
      'a.md': '# A\n\n[file](c.md) [heading](b.md#none) [self](#none)\n[out](../x.md) [root](/b.md)\n',
      'b.md': '# B\n'
    })
    assert.deepEqual(
      deadLinks(directory, 'a.md').map(({ at, problem }) => `${at} ${problem}`),
      [
        'a.md:3 c.md: the file does not exist',
        'a.md:3 b.md#none: the page has no such heading',
        'a.md:3 #none: the page has no such heading',
        'a.md:4 ../x.md: the link leaves the project',
        'a.md:4 /b.md: links are relative paths'
      ]
    )
  })

  test('links to files, headings, ids and other sites are not reported, nor are links in code', t => {
    const directory = directoryWith(t, {
      'a.md':
        '# A\n\n[b](b.md#b-and-c) [id](b.md#X) [self](#a) <https://x.example> [web](https://x.example)\n`[no](no.md)`\n```\n[no](no.md)\n```\n',
      'b.md': '# `B` and C\n\n<a id="X"></a>\n'
    })
    assert.deepEqual(deadLinks(directory, 'a.md'), [])
  })

  test('a page that a source mentions must exist', t => {
    const directory = directoryWith(t, { 'a.ts': '// see docs/none.md\n' })
    assert.deepEqual(deadMentions(directory, 'a.ts'), [
      { at: 'a.ts:1', problem: 'docs/none.md: the file does not exist' }
    ])
  })
})

test('anchors are those of GitHub, and a repeated heading gets a number', () => {
  assert.equal(slugOf('POST /orders, [twice](x.md) & `once`'), 'post-orders-twice--once')
  assert.deepEqual([...anchorsOf('# A\n## B\n## B\n')], ['a', 'b', 'b-1'])
})
