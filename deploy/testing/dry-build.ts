import { execFile } from 'node:child_process'
import { cp, mkdir, readlink, stat, symlink } from 'node:fs/promises'
import { delimiter, dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { projectDirectory } from '@orderly/launcher'
import { buildIgnores, buildStage, type Instruction } from './containers.ts'

export interface DryImage {
  /** Folder that is the working directory of a container. */
  readonly directory: string
  /** Environment that the image sets, with local folders in place of those of the image. */
  readonly environment: Readonly<Record<string, string>>
}

/**
 * Executes the steps of a Dockerfile stage, and of the stages it copies from, in folders instead of
 * containers. The folder then has the project's files of the image. Only for stages based on Node's
 * image: the local machine is the base.
 */
export async function dryBuild(stageName: string, home: string): Promise<DryImage> {
  const root = join(home, stageName)
  let workDirectory = root
  const environment: Record<string, string> = {}
  for (const instruction of buildStage(stageName).instructions) {
    if (instruction.name === 'WORKDIR') {
      workDirectory = join(root, instruction.text)
      await mkdir(workDirectory, { recursive: true })
    } else if (instruction.name === 'COPY') await copy(instruction, { home, root, workDirectory })
    else if (instruction.name === 'ENV') {
      const [, name = '', value = ''] = /^(\w+)=(.*)$/.exec(instruction.text) ?? []
      environment[name] = value.startsWith('/') ? join(root, value) : value
    } else if (instruction.name === 'RUN') await run(instruction, workDirectory, environment)
  }
  return { directory: workDirectory, environment }
}

async function copy(
  { text }: Instruction,
  { home, root, workDirectory }: { home: string; root: string; workDirectory: string }
) {
  const [, from, rest = ''] = /^(?:--from=(\S+) )?(?:--chmod=\d+ )?(.*)$/.exec(text) ?? []
  const paths = rest.split(/ +/)
  const target = paths.pop() as string
  if (from !== undefined) await dryBuild(from, home)
  const isIgnored = buildIgnores()
  for (const path of paths) {
    const source = from === undefined ? join(projectDirectory, path) : join(home, from, path)
    const isFolder = (await stat(source)).isDirectory()
    const destination = join(
      target.startsWith('/') ? root : workDirectory,
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

/**
 * Runs a project's program. Instead of npm's installation, links to the packages of this project
 * are created.
 */
async function run({ text }: Instruction, cwd: string, environment: Readonly<Record<string, string>>): Promise<void> {
  // The current Node replaces that of the image.
  const env = { ...process.env, ...environment, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) }
  const shell = (command: string, directory: string) =>
    promisify(execFile)('sh', ['-c', command], { cwd: directory, env, maxBuffer: 10_000_000 })
  if (text.startsWith('node ')) {
    await shell(text, cwd)
    return
  }
  const [, flags] = /^npm ci (.*)$/.exec(text) ?? []
  if (flags === undefined) throw new Error(`a dry build cannot run this instruction: ${text}`)
  const npm = (command: string, directory: string) => shell(`npm ${command} ${flags}`, directory)
  // Checks that the lock file matches the copied package files.
  await npm('ci --dry-run', cwd)
  const { stdout } = await npm('ls --all --parseable', projectDirectory)
  const modules = join(projectDirectory, 'node_modules')
  for (const path of stdout.split('\n').filter(line => line.startsWith(`${modules}/`))) {
    const name = relative(modules, path)
    // Nested packages are included in the package that contains them.
    if (!/^(@[^/]+\/)?[^/]+$/.test(name)) continue
    const link = join(cwd, 'node_modules', name)
    await mkdir(dirname(link), { recursive: true })
    // Packages of Orderly link to the copied sources.
    await symlink(name.startsWith('@orderly/') ? await readlink(path) : path, link)
  }
}
