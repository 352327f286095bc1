import { execFile } from 'node:child_process'
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
} from '@orderly/launcher'
import { startWorker, type Worker } from './worker.ts'

export type Language = 'java' | 'go'

/**
 * The peers of a scenario. If a toolchain is missing, `start` reports it and returns none of its
 * peers.
 */
export interface Peers {
  start(language: Language, name: string): Promise<Worker | undefined>
  /** Messages about requested languages whose toolchain is missing; filled by `start`. */
  readonly missing: readonly string[]
}

interface Machine {
  readonly environment?: NodeJS.ProcessEnv
  /** Directory of build results. */
  readonly builds?: string
  readonly javas?: ReturnType<typeof findJavas>
}

type Start = (name: string) => Worker

const names: Readonly<Record<Language, string>> = { java: 'Java', go: 'Go' }

/**
 * Creates the factory for the peers of each scenario. Each language is built once, when the first scenario
 * starts one of its peers.
 */
export function createPeers(
  supervisor: Supervisor,
  say: (text: string) => void,
  { environment = process.env, builds = join(orderlyDirectory, 'bench'), javas }: Machine = {}
): () => Peers {
  const built = new Map<Language, Promise<Start | string>>()

  /** Builds the peers of a language. @returns a message if that fails */
  async function build(language: Language): Promise<Start | string> {
    try {
      return await (language === 'java'
        ? buildJava(supervisor, builds, javas ?? findJavas(environment))
        : buildGo(builds, environment))
    } catch (error) {
      const sentence = `The peers in ${names[language]} are skipped, and targets against them are not measured: ${explain(error)}`
      say(sentence)
      return sentence
    }
  }

  return () => {
    const missing: string[] = []
    return {
      missing,
      async start(language, name) {
        const building = built.get(language) ?? build(language)
        built.set(language, building)
        const ready = await building
        if (typeof ready === 'function') return ready(name)
        if (!missing.includes(ready)) missing.push(ready)
        return undefined
      }
    }
  }
}

async function buildJava(supervisor: Supervisor, builds: string, javas: ReturnType<typeof findJavas>): Promise<Start> {
  const java = chooseJava(javas, 'JDK')
  await fetchJars(peersJars, { supervisor, say: () => {} })
  const sources = join(import.meta.dirname, 'java')
  const classes = join(builds, 'java')
  const jars = await classPath(peersJars)
  if (await isOlder(join(classes, 'Peer.class'), sources)) {
    await rm(classes, { recursive: true, force: true })
    await mkdir(classes, { recursive: true })
    const files = (await readdir(sources)).filter(file => file.endsWith('.java')).map(file => join(sources, file))
    await promisify(execFile)(join(java.home, 'bin', 'javac'), ['-d', classes, '-cp', jars, ...files])
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

async function buildGo(builds: string, env: NodeJS.ProcessEnv): Promise<Start> {
  const sources = join(import.meta.dirname, 'go')
  const program = join(builds, 'go-peers')
  if (await isOlder(program, sources)) {
    await mkdir(builds, { recursive: true })
    await promisify(execFile)('go', ['build', '-o', program, '.'], { cwd: sources, env })
  }
  return name => startWorker({ command: program, args: [name] })
}

/** Returns true if a build result is missing or older than one of its sources. */
async function isOlder(file: string, sources: string): Promise<boolean> {
  const made = await stat(file).catch(() => undefined)
  if (made === undefined) return true
  const names = await readdir(sources)
  const times = await Promise.all(names.map(async name => (await stat(join(sources, name))).mtimeMs))
  return Math.max(...times) > made.mtimeMs
}

function explain(error: unknown): string {
  const { code, path, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string }
  if (code === 'ENOENT') return `\`${path}\` is not on PATH; install it and run the benchmark again`
  return (stderr || message).trim().split('\n').slice(0, 3).join(' ')
}
