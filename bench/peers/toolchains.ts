import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import {
  chooseJava,
  classPath,
  fetchJars,
  findJavas,
  orderlyDirectory,
  peersJars,
  type Supervisor
} from '@orderly/stack'
import { startWorker, type Worker } from './worker.ts'

export type Language = 'java' | 'go'

/** Builds the peers of a language once. What is missing for that is said in a line, and the benchmark goes on without them. */
export interface Peers {
  start(language: Language, name: string): Promise<Worker | undefined>
  /** A sentence for each language that is missing. */
  readonly missing: readonly string[]
}

const builds = join(orderlyDirectory, 'bench')

export function createPeers(supervisor: Supervisor, say: (text: string) => void): Peers {
  const built = new Map<Language, Promise<((name: string) => Worker) | undefined>>()
  const missing: string[] = []

  async function build(language: Language): Promise<((name: string) => Worker) | undefined> {
    try {
      return await (language === 'java' ? buildJava(supervisor) : buildGo())
    } catch (error) {
      const sentence = `The peers in ${language === 'java' ? 'Java' : 'Go'} are left out: ${explain(error)}`
      missing.push(sentence)
      say(sentence)
      return undefined
    }
  }

  return {
    missing,
    async start(language, name) {
      const ready = built.get(language) ?? build(language)
      built.set(language, ready)
      return (await ready)?.(name)
    }
  }
}

async function buildJava(supervisor: Supervisor): Promise<(name: string) => Worker> {
  const java = chooseJava(findJavas())
  const compiler = join(java.home, 'bin', 'javac')
  if (!existsSync(compiler)) throw new Error(`${java.home} has no javac: install a JDK (not only a JRE)`)
  await fetchJars(supervisor, peersJars, java)
  const sources = join(import.meta.dirname, 'java')
  const classes = join(builds, 'java')
  const jars = await classPath(peersJars)
  if (await isOlder(join(classes, 'Peer.class'), sources)) {
    await rm(classes, { recursive: true, force: true })
    await mkdir(classes, { recursive: true })
    const files = (await readdir(sources)).filter(file => file.endsWith('.java')).map(file => join(sources, file))
    await promisify(execFile)(compiler, ['-d', classes, '-cp', jars, ...files])
  }
  const args = [
    '-Xmx512m',
    '-XX:+UseG1GC',
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
    '-cp',
    [classes, jars].join(delimiter),
    'Peer'
  ]
  return name => startWorker({ command: join(java.home, 'bin', 'java'), args: [...args, name] })
}

async function buildGo(): Promise<(name: string) => Worker> {
  const sources = join(import.meta.dirname, 'go')
  const program = join(builds, 'go-peers')
  if (await isOlder(program, sources)) {
    await mkdir(builds, { recursive: true })
    await promisify(execFile)('go', ['build', '-o', program, '.'], { cwd: sources })
  }
  return name => startWorker({ command: program, args: [name] })
}

/** Whether a file is missing or older than something in the folder it is made from. */
async function isOlder(file: string, sources: string): Promise<boolean> {
  const made = await stat(file).catch(() => undefined)
  if (made === undefined) return true
  const names = await readdir(sources)
  const times = await Promise.all(names.map(async name => (await stat(join(sources, name))).mtimeMs))
  return Math.max(...times) > made.mtimeMs
}

function explain(error: unknown): string {
  const { code, path, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string }
  if (code === 'ENOENT') return `there is no \`${path}\` on PATH; install it and run this again`
  return (stderr || message).trim().split('\n').slice(0, 3).join(' ')
}
