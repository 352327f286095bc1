import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { projectDirectory } from '../directories.ts'

test('npm run docs builds a site with every kind of page, API references, diagrams and search', {
  timeout: 600_000
}, async () => {
  // VitePress ends with an error when a link leads nowhere.
  await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'docs.ts')], { maxBuffer: 64 * 1024 * 1024 })
  const site = join(projectDirectory, '.orderly', 'site')
  const pages = [
    'index',
    'ARCHITECTURE',
    'guides/deploy',
    'reference/configuration',
    'decisions/index',
    'packages/kafka/index'
  ]
  for (const page of pages) assert.ok(existsSync(join(site, `${page}.html`)), page)
  assert.match(readFileSync(join(site, 'explanation/architecture.html'), 'utf8'), /sequenceDiagram/)
  assert.match(
    readFileSync(join(site, 'api/kafka/functions/index.runStage.html'), 'utf8'),
    /transactionalID|StageOptions/
  )
  assert.ok(existsSync(join(site, 'api/client/index.html')))
  assert.ok(existsSync(join(site, 'mermaid/mermaid.esm.min.mjs')))
})
