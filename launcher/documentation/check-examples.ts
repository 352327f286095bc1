/**
 * Type-checks the TypeScript blocks of READMEs and guides as separate modules. Exits with the code
 * of the compiler; its messages name the page and the number of the block.
 */
import { spawnSync } from 'node:child_process'
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { orderlyDirectory, projectDirectory } from '../directories.ts'

const pages = globSync(
  [
    '*.md',
    '{contracts,launcher,cli,deploy,quality/*}/README.md',
    '{packages,services}/*/README.md',
    'docs/{guides,explanation}/*.md'
  ],
  {
    cwd: projectDirectory
  }
)
const directory = join(orderlyDirectory, 'examples')
rmSync(directory, { recursive: true, force: true })
mkdirSync(directory, { recursive: true })
for (const page of pages) {
  const blocks = [...readFileSync(join(projectDirectory, page), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm)]
  for (const [index, [, code = '']] of blocks.entries()) {
    const name = `${page.replaceAll('/', '--').replace('.md', '')}--${index + 1}.ts`
    writeFileSync(join(directory, name), `${code}export {}\n`)
  }
}
writeFileSync(
  join(directory, 'tsconfig.json'),
  JSON.stringify({ extends: '../../tsconfig.json', include: ['*.ts'], exclude: [] })
)
const compiler = join(projectDirectory, 'node_modules/typescript/bin/tsc')
const { status } = spawnSync(process.execPath, [compiler, '-p', directory], { stdio: 'inherit' })
process.exitCode = status ?? 1
