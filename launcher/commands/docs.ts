/**
 * `npm run docs`: builds the documentation site into `.orderly/site`, with the API references of the
 * npm packages by TypeDoc, and with `--serve` serves it on loopback. Installs the packages of the
 * site first if its lock file has changed.
 */
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CommandSpec, parseNumber } from '@orderly/command-line'
import { orderlyDirectory, projectDirectory } from '../directories.ts'
import { copyPages } from '../documentation/site.ts'
import { loopback } from '../processes/ports.ts'
import { runCommand } from './command.ts'

const siteDirectory = join(projectDirectory, 'docs', 'site')
const modules = join(siteDirectory, 'node_modules')
const installed = join(modules, '.orderly-installed')

const spec: CommandSpec = {
  name: 'npm run docs --',
  summary: 'build the documentation site into .orderly/site',
  examples: ['npm run docs', 'npm run docs -- --serve --port 9000'],
  options: {
    serve: { type: 'boolean', description: 'also serves the site on 127.0.0.1' },
    port: { type: 'string', placeholder: 'PORT', description: 'port of --serve (default 8095)' }
  }
}

await runCommand(spec, async ({ options, signal }) => {
  const port = parseNumber(options.text('port'), 'port', { minimum: 1, maximum: 65_535, otherwise: 8095 })
  const run = async (program: string, args: readonly string[]) => {
    const child = spawn(program, args, { cwd: siteDirectory, stdio: ['ignore', 'inherit', 'inherit'], signal })
    const [code] = (await once(child, 'close')) as [number | null]
    return code ?? 1
  }
  const lock = createHash('sha256')
    .update(readFileSync(join(siteDirectory, 'package-lock.json')))
    .digest('hex')
  if (!existsSync(installed) || readFileSync(installed, 'utf8') !== lock) {
    const npm = process.env.npm_execpath
    const install = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
    const code = npm === undefined ? await run('npm', install) : await run(process.execPath, [npm, ...install])
    if (code !== 0) return code
    writeFileSync(installed, lock)
  }
  copyPages(projectDirectory, listPages(), join(siteDirectory, 'pages'))
  const vitepress = join(modules, 'vitepress', 'bin', 'vitepress.js')
  const site = join(orderlyDirectory, 'site')
  const build = (...args: readonly string[]) => run(process.execPath, args)
  // VitePress empties the folder of the site first.
  let code = await build(vitepress, 'build', siteDirectory)
  for (const name of ['kafka', 'client'])
    if (code === 0) code = await build(join(modules, 'typedoc', 'bin', 'typedoc'), ...apiArguments(name, site))
  if (code !== 0 || !options.flag('serve')) return code
  // The server of VitePress listens on all addresses.
  const vite = join(modules, 'vite', 'bin', 'vite.js')
  return run(process.execPath, [
    ...[vite, 'preview', '--outDir', site, '--host', loopback],
    ...['--port', String(port), '--strictPort']
  ])
})

/** Returns the arguments of TypeDoc for the API reference of a published package. */
function apiArguments(name: string, site: string): string[] {
  const workspace = join(projectDirectory, 'packages', name)
  const manifest = JSON.parse(readFileSync(join(workspace, 'package.json'), 'utf8'))
  const entries = Object.values<string>(manifest.exports).map(file => join(workspace, file))
  const tsconfig = join(orderlyDirectory, `typedoc-${name}.json`)
  const content = { extends: join(projectDirectory, 'tsconfig.json'), files: entries, include: [] }
  writeFileSync(tsconfig, JSON.stringify(content))
  const flags = ['--readme', 'none', '--disableSources', '--logLevel', 'Warn']
  return [...entries, '--tsconfig', tsconfig, '--name', manifest.name, '--out', join(site, 'api', name), ...flags]
}

/** Returns the Markdown files that Git tracks or does not ignore. */
function listPages(): string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
    cwd: projectDirectory,
    encoding: 'utf8'
  })
  return listed.split('\n').filter(file => file !== '' && existsSync(join(projectDirectory, file)))
}
