import { execFile } from 'node:child_process'
import { cp, mkdir, readlink, stat, symlink } from 'node:fs/promises'
import { delimiter, dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { projectDirectory } from '@orderly/stack'
import { buildIgnores, buildStage, type Instruction } from './containers.ts'

export interface DryImage {
  /** The folder that is the working directory of a container. */
  readonly directory: string
  /** What a container has by the image, with folders where they are here. */
  readonly environment: Readonly<Record<string, string>>
}

/**
 * Does the steps of a stage of the Dockerfile, and of those that it copies from, in folders instead of in containers: what an image
 * has of ours is then in the folder. Only for stages whose base is Node's image, as the base is this machine.
 */
export async function dryBuild(stageName: string, home: string): Promise<DryImage> {
  const root = join(home, stageName)
  let workDirectory = root
  const environment: Record<string, string> = {}
  for (const instruction of buildStage(stageName).instructions) {
    if (instruction.name === 'WORKDIR') {
      workDirectory = join(root, instruction.text)
      await mkdir(workDirectory, { recursive: true })
    } else if (instruction.name === 'COPY') await copy(instruction, { home, workDirectory })
    else if (instruction.name === 'ENV') {
      const [, name = '', value = ''] = /^(\w+)=(.*)$/.exec(instruction.text) ?? []
      environment[name] = value.startsWith('/') ? join(root, value) : value
    } else if (instruction.name === 'RUN') await run(instruction, workDirectory, environment)
  }
  return { directory: workDirectory, environment }
}

async function copy({ text }: Instruction, { home, workDirectory }: { home: string; workDirectory: string }) {
  const [, from, rest = ''] = /^(?:--from=(\S+) )?(.*)$/.exec(text) ?? []
  const paths = rest.split(/ +/)
  const target = paths.pop() as string
  if (from !== undefined) await dryBuild(from, home)
  const isIgnored = buildIgnores()
  for (const path of paths) {
    const source = from === undefined ? join(projectDirectory, path) : join(home, from, path)
    const isFolder = (await stat(source)).isDirectory()
    const destination = join(
      workDirectory,
      target,
      isFolder || !target.endsWith('/') ? '' : (path.split('/').at(-1) ?? '')
    )
    await mkdir(dirname(destination), { recursive: true })
    await cp(source, destination, {
      recursive: true,
      verbatimSymlinks: true,
      filter: file => from !== undefined || file === source || !isIgnored(relative(projectDirectory, file))
    })
  }
}

/** A program of ours is run. The packages that npm would install are linked to where this project has them. */
async function run({ text }: Instruction, cwd: string, environment: Readonly<Record<string, string>>): Promise<void> {
  // What the image has of Node is this one.
  const env = { ...process.env, ...environment, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) }
  const shell = (command: string, directory: string) =>
    promisify(execFile)('sh', ['-c', command], { cwd: directory, env, maxBuffer: 10_000_000 })
  if (text.startsWith('node ')) {
    await shell(text, cwd)
    return
  }
  const [, flags] = /^npm ci (.*)$/.exec(text) ?? []
  if (flags === undefined) throw new Error(`nobody knows how to do this without a container: ${text}`)
  const npm = (command: string, directory: string) => shell(`npm ${command} ${flags}`, directory)
  // Whether the lock file goes with the package files that were copied.
  await npm('ci --dry-run', cwd)
  const { stdout } = await npm('ls --all --parseable', projectDirectory)
  const modules = join(projectDirectory, 'node_modules')
  for (const path of stdout.split('\n').filter(line => line.startsWith(`${modules}/`))) {
    const name = relative(modules, path)
    // What lies deeper comes with what it lies in.
    if (!/^(@[^/]+\/)?[^/]+$/.test(name)) continue
    const link = join(cwd, 'node_modules', name)
    await mkdir(dirname(link), { recursive: true })
    // Of ours there is what was copied.
    await symlink(name.startsWith('@orderly/') ? await readlink(path) : path, link)
  }
}
