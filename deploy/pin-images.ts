/**
 * Adds the current digest of each image to the Dockerfile and the Compose file, as reported by the
 * image's registry. Without Docker or a registry nothing is changed. `--check` exits with 1 if an
 * image has no digest; run it before a release.
 */
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type CommandSpec, readArguments } from '@orderly/command-line'

const spec: CommandSpec = {
  name: 'npm run pin-images --',
  summary: 'add the current digest of each image to the Dockerfile and the Compose file',
  examples: ['npm run pin-images', 'npm run check-release'],
  options: {
    check: { type: 'boolean', description: 'changes nothing, and exits with 1 if an image has no digest' }
  },
  notes: 'npm run check-release is the same as --check. Reading digests needs Docker and the registries of the images.'
}
const { options } = readArguments(spec)

const files = ['Dockerfile', 'compose.yaml'].map(name => join(import.meta.dirname, name))
const imageLine = /^(FROM | +image: )([\w./-]+:[\w.-]+)(@sha256:[0-9a-f]{64})?/gm
/** Returns true for images that these files build. */
const isOurs = (image: string) => image.startsWith('orderly/')

const texts = await Promise.all(files.map(file => readFile(file, 'utf8')))
const found = texts.flatMap(text => [...text.matchAll(imageLine)]).filter(([, , image = '']) => !isOurs(image))

if (options.flag('check')) {
  const unpinned = new Set(found.filter(([, , , digest]) => digest === undefined).map(([, , image]) => image))
  for (const image of unpinned) process.stderr.write(`${image} has no digest: run \`npm run pin-images\`\n`)
  process.exitCode = unpinned.size === 0 ? 0 : 1
} else {
  try {
    const images = [...new Set(found.map(([, , image = '']) => image))]
    const digests = new Map(await Promise.all(images.map(async image => [image, await digestOf(image)] as const)))
    const pin = (line: string, start: string, image: string) =>
      isOurs(image) ? line : `${start}${image}@${digests.get(image)}`
    await Promise.all(files.map((file, index) => writeFile(file, (texts[index] as string).replace(imageLine, pin))))
    for (const [image, digest] of digests) process.stdout.write(`${image}@${digest}\n`)
  } catch (error) {
    process.stderr.write(`Nothing was changed: ${(error as Error).message}\n`)
    process.exitCode = 1
  }
}

async function digestOf(image: string): Promise<string> {
  const args = ['buildx', 'imagetools', 'inspect', '--format', '{{.Manifest.Digest}}', image]
  const { stdout } = await promisify(execFile)('docker', args).catch(error => {
    const reason = error.code === 'ENOENT' ? 'there is no `docker` on PATH' : (error.stderr || error.message).trim()
    throw new Error(`the digest of ${image} cannot be read: ${reason}`)
  })
  const digest = stdout.trim()
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw new Error(`docker answered "${digest}" for the digest of ${image}`)
  return digest
}
