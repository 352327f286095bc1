/**
 * Builds the npm packages that others can install, from every workspace in `packages` whose
 * `package.json` has `publishConfig`. The monorepo runs the sources; only the built folder
 * `.orderly/packages/<name>` has JavaScript and declarations.
 *
 * The compiler emits the workspace and the private workspaces that it imports side by side into
 * `dist`; imports between them become relative. The workspace's `package.json` says the rest:
 * `exports`, `dependencies`, `engines` and `publishConfig`.
 */
import { execFile } from 'node:child_process'
import { cpSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'
import { promisify } from 'node:util'
import { orderlyDirectory, projectDirectory } from '@orderly/launcher'

const run = promisify(execFile)
const workspaces = join(projectDirectory, 'packages')
const privateScope = '@orderly/'

/** Fields of a `package.json` that the build reads. */
interface Manifest {
  readonly name: string
  readonly version?: string
  readonly description?: string
  readonly keywords?: readonly string[]
  readonly license?: string
  readonly repository?: { readonly url: string }
  readonly config?: { readonly publishScope?: string }
  readonly engines?: Readonly<Record<string, string>>
  readonly exports?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, object>>
  readonly publishConfig?: {
    readonly access: string
    /** `neutral` code may use only what Node and browsers have in common. */
    readonly platform: 'neutral' | 'node'
  }
}

export interface BuiltPackage {
  /** Name of the workspace's folder in `packages`. */
  readonly folder: string
  readonly name: string
  readonly version: string
  /** Folder that npm can pack and publish. */
  readonly directory: string
  /** Folders in `packages` whose code the package contains. */
  readonly contains: readonly string[]
}

/** Returns the names of the folders in `packages` that are published. */
export function publishedFolders(): string[] {
  return readdirSync(workspaces).filter(folder => {
    const file = join(workspaces, folder, 'package.json')
    return existsSync(file) && readManifest(file).publishConfig !== undefined
  })
}

/**
 * Builds a package.
 * @param target folder that is replaced
 * @throws Error with the compiler's messages
 */
export async function buildPackage(
  folder: string,
  target = join(orderlyDirectory, 'packages', folder)
): Promise<BuiltPackage> {
  const workspace = join(workspaces, folder)
  const manifest = readManifest(join(workspace, 'package.json'))
  const root = readManifest(join(projectDirectory, 'package.json'))
  rmSync(target, { recursive: true, force: true })
  const dist = join(target, 'dist')
  mkdirSync(dist, { recursive: true })
  await compile(workspace, manifest, dist)
  const contains = readdirSync(dist)
  for (const file of globSync('**/*.{js,d.ts}', { cwd: dist })) rewriteImports(dist, file)

  const scope = process.env.PUBLISH_SCOPE ?? root.config?.publishScope ?? privateScope.slice(0, -1)
  const name = manifest.name.replace(/^@[^/]+/, scope)
  const published = publishedManifest(folder, name, manifest, root, contains)
  for (const [from, file] of [
    [projectDirectory, 'LICENSE'],
    [workspace, 'README.md'],
    [workspace, 'CHANGELOG.md']
  ] as const) {
    cpSync(join(from, file), join(target, file))
    if (file === 'LICENSE') continue
    const text = readFileSync(join(target, file), 'utf8').replaceAll(manifest.name, name)
    const pages = published.repository?.url.replace(/^git\+|\.git$/g, '')
    const base = pages && `${pages}/blob/${folder}-v${published.version}/packages/${folder}/`
    writeFileSync(join(target, file), publishedLinks(text, base))
  }
  writeFileSync(join(target, 'package.json'), `${JSON.stringify(published, null, 2)}\n`)
  return { folder, name, version: published.version, directory: target, contains }
}

async function compile(workspace: string, { exports = {}, publishConfig }: Manifest, dist: string): Promise<void> {
  const isNeutral = publishConfig?.platform === 'neutral'
  const options = {
    target: 'es2022',
    lib: isNeutral ? ['es2023', 'dom', 'dom.iterable'] : ['es2024', 'esnext.disposable'],
    types: isNeutral ? [] : ['node'],
    typeRoots: [join(projectDirectory, 'node_modules/@types')],
    noEmit: false,
    noEmitOnError: true,
    allowImportingTsExtensions: false,
    rewriteRelativeImportExtensions: true,
    declaration: true,
    rootDir: workspaces,
    outDir: dist,
    // Without it private workspaces count as installed packages, which the compiler does not emit.
    paths: privateSources()
  }
  const file = join(dist, '..', 'tsconfig.json')
  const files = Object.values(exports).map(entry => join(workspace, entry))
  const content = { extends: join(projectDirectory, 'tsconfig.json'), compilerOptions: options, files, include: [] }
  writeFileSync(file, JSON.stringify(content))
  try {
    await run(process.execPath, [join(projectDirectory, 'node_modules/typescript/bin/tsc'), '-p', file])
  } catch (error) {
    throw new Error((error as { readonly stdout?: string }).stdout || String(error), { cause: error })
  } finally {
    rmSync(file)
  }
}

/** Returns the source file of each import of a private workspace. */
function privateSources(): Record<string, string[]> {
  const folders = readdirSync(workspaces).filter(folder => existsSync(join(workspaces, folder, 'package.json')))
  return Object.fromEntries(
    folders.flatMap(folder =>
      Object.entries(readManifest(join(workspaces, folder, 'package.json')).exports ?? {}).map(([entry, file]) => [
        posix.join(privateScope, folder, entry),
        [join(workspaces, folder, file)]
      ])
    )
  )
}

/**
 * Makes imports of private workspaces relative, and lets declarations import `.js` files, as the
 * code does.
 */
function rewriteImports(dist: string, file: string): void {
  const path = join(dist, file)
  const text = readFileSync(path, 'utf8')
  const replaced = text.replace(
    /(\bfrom |\bimport ?\(?)(['"])([^'"]+)\2/g,
    (whole, before, quote, specifier: string) => {
      if (specifier.startsWith(privateScope)) {
        const [folder = '', ...entry] = specifier.slice(privateScope.length).split('/')
        const { exports = {} } = readManifest(join(workspaces, folder, 'package.json'))
        const source = exports[['.', ...entry].join('/')]
        if (source === undefined || !existsSync(join(dist, folder, source.replace(/\.ts$/, '.js'))))
          throw new Error(`dist/${file} imports ${specifier}, which is not an entry of a compiled workspace`)
        const to = posix.relative(dirname(file), posix.join(folder, source))
        return `${before}${quote}${to.startsWith('.') ? to : `./${to}`}${quote}`.replace(/\.ts(['"])$/, '.js$1')
      }
      return /^\.\.?\//.test(specifier) ? whole.replace(/\.ts(['"])$/, '.js$1') : whole
    }
  )
  if (replaced !== text) writeFileSync(path, replaced)
}

/**
 * Returns a page with complete addresses instead of relative links outside of fenced code, because
 * what they lead to is only in the repository. If its address is unknown, as in a local build, only
 * the text of the links remains.
 * @param base address of the folder that contains the page
 */
export function publishedLinks(page: string, base: string | undefined): string {
  const link = /\[([^\]]+)\]\((?!https?:|#)([^)\s]+)\)/g
  return page
    .split(/(^ *```[\s\S]*?^ *```)/m)
    .map((part, index) =>
      index % 2 === 1
        ? part
        : part.replace(link, (_whole, text: string, path: string) =>
            base === undefined ? text : `[${text}](${new URL(path, base)})`
          )
    )
    .join('')
}

function publishedManifest(
  folder: string,
  name: string,
  manifest: Manifest,
  root: Manifest,
  contains: readonly string[]
) {
  const inlined = contains.map(each => readManifest(join(workspaces, each, 'package.json')))
  const dependencies = Object.fromEntries(
    inlined
      .flatMap(({ dependencies = {} }) => Object.entries(dependencies))
      .filter(([dependency]) => !dependency.startsWith(privateScope))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
  )
  const entryOf = (source: string) => {
    const path = `./dist/${posix.join(folder, source)}`.replace(/\.ts$/, '')
    return { types: `${path}.d.ts`, default: `${path}.js` }
  }
  const { version = root.version ?? '0.0.0', description, keywords, peerDependencies, peerDependenciesMeta } = manifest
  const repository = process.env.GITHUB_REPOSITORY
    ? `git+https://github.com/${process.env.GITHUB_REPOSITORY}.git`
    : root.repository?.url
  const main = manifest.exports?.['.']
  return {
    name,
    version,
    description,
    keywords,
    license: root.license,
    ...(repository !== undefined && { repository: { type: 'git', url: repository, directory: `packages/${folder}` } }),
    type: 'module',
    sideEffects: false,
    engines: manifest.engines,
    ...(main !== undefined && { types: entryOf(main).types, main: entryOf(main).default }),
    exports: {
      ...Object.fromEntries(Object.entries(manifest.exports ?? {}).map(([entry, file]) => [entry, entryOf(file)])),
      './package.json': './package.json'
    },
    files: ['dist', 'CHANGELOG.md'],
    ...(Object.keys(dependencies).length > 0 && { dependencies }),
    ...(peerDependencies !== undefined && { peerDependencies, peerDependenciesMeta }),
    publishConfig: { access: manifest.publishConfig?.access }
  }
}

/**
 * Returns the public declarations of a built package without comments: the files that its entries
 * reach. Files in `generated` are left out, because the repository has their sources.
 */
export function apiReport({ directory, folder }: BuiltPackage): string {
  const { exports } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as {
    readonly exports: Readonly<Record<string, { readonly types?: string }>>
  }
  const waiting = Object.values(exports).flatMap(({ types }) => (types === undefined ? [] : [join(directory, types)]))
  const texts = new Map<string, string>()
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    const path = relative(join(directory, 'dist'), file)
    if (texts.has(path) || path.includes('generated/')) continue
    const text = readFileSync(file, 'utf8').replace(/^\s*\/\*[\s\S]*?\*\/\n/gm, '')
    texts.set(path, text)
    for (const [, specifier = ''] of text.matchAll(/(?:\bfrom |\bimport\()['"](\.[^'"]+)\.js['"]/g))
      waiting.push(join(dirname(file), `${specifier}.d.ts`))
  }
  const sections = [...texts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([path, text]) => `// ${path}\n${text}`)
  return `// Public declarations of packages/${folder}. Generated by \`npm run generate\`: do not edit.\n\n${sections.join('\n')}`
}

function readManifest(file: string): Manifest {
  return JSON.parse(readFileSync(file, 'utf8'))
}
