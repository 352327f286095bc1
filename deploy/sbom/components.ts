import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { lockedJars, projectDirectory } from '@orderly/launcher'

/**
 * Lists the components of an image beyond those of its base image, as CycloneDX 1.6. The text
 * depends on the lock files only.
 */

interface LockedPackage {
  readonly version?: string
  readonly integrity?: string
  readonly license?: string
  readonly link?: boolean
  readonly resolved?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

interface Component {
  readonly type: 'library'
  readonly name: string
  readonly version: string
  readonly purl: string
  readonly group?: string
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[]
  readonly licenses?: readonly { readonly license: { readonly name: string } }[]
}

/**
 * Returns the SBOM of the services' image.
 * @param workspaces folders whose packages the image installs
 */
export function servicesSBOM(workspaces: readonly string[]): string {
  return document('orderly-service', npmComponents(workspaces))
}

/**
 * Returns the SBOM of an image with Java servers.
 * @param names folders in `launcher/jars`
 */
export function jarsSBOM(name: string, names: readonly string[]): string {
  const components = names.flatMap(folder => lockedJars(folder)).map(jarComponent)
  return document(name, [...new Map(components.map(own => [own.purl, own])).values()])
}

/**
 * Returns the SBOM of an npm package.
 * @param workspaces folders whose code the package contains
 */
export function packageSBOM(name: string, version: string, workspaces: readonly string[]): string {
  return document(name, npmComponents(workspaces), { type: 'library', version })
}

function document(
  name: string,
  components: readonly Component[],
  { type = 'container', version = projectVersion() } = {}
): string {
  const content = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { type, name, version } },
    components: components.toSorted((a, b) => (a.purl < b.purl ? -1 : 1))
  }
  return `${JSON.stringify(content, null, 2)}\n`
}

function projectVersion(): string {
  return JSON.parse(readFileSync(join(projectDirectory, 'package.json'), 'utf8')).version
}

/**
 * Returns the packages that the workspaces need at run time, resolved in the lock file as Node
 * resolves them.
 */
function npmComponents(workspaces: readonly string[]): Component[] {
  const text = readFileSync(join(projectDirectory, 'package-lock.json'), 'utf8')
  const { packages } = JSON.parse(text) as { packages: Readonly<Record<string, LockedPackage>> }
  const found = new Map<string, Component>()
  const seen = new Set<string>()
  const visit = (path: string) => {
    const locked = packages[path]
    if (locked === undefined || seen.has(path)) return
    seen.add(path)
    if (locked.link) {
      if (workspaces.includes(locked.resolved ?? '')) visit(locked.resolved ?? '')
      return
    }
    const [, name = ''] = /(?:^|.*\/)node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path) ?? []
    if (name !== '') found.set(path, npmComponent(name, locked))
    for (const dependency of Object.keys({ ...locked.dependencies, ...locked.optionalDependencies })) {
      const place = placeOf(packages, path, dependency)
      if (place !== undefined) visit(place)
    }
  }
  for (const workspace of workspaces) visit(workspace)
  return [...new Map([...found.values()].map(own => [own.purl, own])).values()]
}

function placeOf(packages: Readonly<Record<string, unknown>>, from: string, name: string): string | undefined {
  for (let directory = from; ; directory = dirname(directory)) {
    const place = join(directory, 'node_modules', name)
    if (place in packages) return place
    if (directory === '.') return undefined
  }
}

function npmComponent(fullName: string, { version = '', integrity, license }: LockedPackage): Component {
  const [, group, name = ''] = /^(?:(@[^/]+)\/)?(.+)$/.exec(fullName) ?? []
  const [, digest] = /^sha512-(.+)$/.exec(integrity ?? '') ?? []
  return {
    type: 'library',
    ...(group !== undefined && { group }),
    name,
    version,
    purl: `pkg:npm/${group === undefined ? '' : `${encodeURIComponent(group)}/`}${name}@${version}`,
    ...(digest !== undefined && {
      hashes: [{ alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') }]
    }),
    ...(license !== undefined && { licenses: [{ license: { name: license } }] })
  }
}

function jarComponent({ path, sha256 }: ReturnType<typeof lockedJars>[number]): Component {
  const parts = path.split('/')
  const [version = '', name = ''] = [parts.at(-2), parts.at(-3)]
  const group = parts.slice(0, -3).join('.')
  return {
    type: 'library',
    group,
    name,
    version,
    purl: `pkg:maven/${group}/${name}@${version}`,
    hashes: [{ alg: 'SHA-256', content: sha256 }]
  }
}
