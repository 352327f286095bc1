import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { projectDirectory } from '@orderly/launcher'
import { services } from '../../testing/compose.ts'
import { buildStages } from '../../testing/containers.ts'
import { docker, type Engine } from './docker.ts'

const run = promisify(execFile)
const version = '0.1.0'

/** Images of the Dockerfile that are delivered, by target. */
export const builtImages: Readonly<Record<string, string>> = Object.fromEntries(
  buildStages()
    .filter(({ name }) => !['dependencies', 'jars'].includes(name))
    .map(({ name }) => [name, `orderly/${name}:${version}`])
)

/** Returns the images of others, which the Dockerfile and the compose file use. */
export function baseImages(): string[] {
  const bases = buildStages().map(({ base }) => base)
  const used = Object.values(services).map(({ image }) => image)
  return [...new Set([...bases, ...used])].filter(image => image.includes(':') && !image.startsWith('orderly/'))
}

/** Builds every delivered image. */
export async function buildImages(engine: Engine, say: (text: string) => void): Promise<void> {
  const { stdout: revision } = await run('git', ['rev-parse', 'HEAD'], { cwd: projectDirectory })
  const file = join(projectDirectory, 'deploy', 'Dockerfile')
  for (const [target, image] of Object.entries(builtImages)) {
    const startedAt = performance.now()
    const args = [
      'build',
      '--file',
      file,
      '--target',
      target,
      '--tag',
      image,
      '--build-arg',
      `REVISION=${revision.trim()}`
    ]
    await docker(engine, [...args, ...(engine.isPrivate ? ['--network', 'host'] : []), projectDirectory])
    say(`built ${image} in ${Math.round((performance.now() - startedAt) / 1_000)} s`)
  }
  // Images of earlier runs have lost their names.
  if (engine.isPrivate) await docker(engine, ['image', 'prune', '--force'])
}

export interface Image {
  readonly Size: number
  readonly Config: {
    readonly User: string
    readonly Env: readonly string[]
    readonly Labels: Readonly<Record<string, string>>
  }
  readonly RootFS: { readonly Layers: readonly string[] }
}

export async function inspectImage(engine: Engine, image: string): Promise<Image> {
  const [found] = JSON.parse(await docker(engine, ['image', 'inspect', image]))
  return found
}

/** Returns the base of a delivered image. */
export function baseOf(target: string): string {
  const base = buildStages().find(({ name }) => name === target)?.base ?? ''
  return base.includes(':') ? base : baseOf(base)
}

/**
 * Saves the delivered images, and passes the archives of the layers that the Dockerfile adds to
 * their bases.
 * @param use is called with the paths by target while they exist
 */
export async function withOwnLayers<Result>(
  engine: Engine,
  use: (layers: ReadonlyMap<string, readonly string[]>) => Promise<Result>
): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), 'orderly-layers-'))
  try {
    const archive = join(directory, 'images.tar')
    await docker(engine, ['save', '--output', archive, ...Object.values(builtImages)])
    await run('tar', ['--extract', '--file', archive, '--directory', directory])
    await rm(archive)
    const saved = JSON.parse(await readFile(join(directory, 'manifest.json'), 'utf8')) as SavedImage[]
    const layers = new Map<string, string[]>()
    for (const [target, image] of Object.entries(builtImages)) {
      const all = saved.find(({ RepoTags }) => RepoTags.includes(image))?.Layers ?? []
      const ofBase = (await inspectImage(engine, baseOf(target))).RootFS.Layers.length
      layers.set(
        target,
        all.slice(ofBase).map(layer => join(directory, layer))
      )
    }
    return await use(layers)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

interface SavedImage {
  readonly RepoTags: readonly string[]
  readonly Layers: readonly string[]
}
