import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import {
  chooseJava,
  classPath,
  fetchJars,
  findJavas,
  orderlyDirectory,
  peersJars,
  projectDirectory,
  type Supervisor
} from '@orderly/launcher'

const run = promisify(execFile)
const competitors = join(import.meta.dirname, 'competitors')

/** A client, with the command of its worker. */
export interface Contestant {
  readonly name: string
  readonly version: string
  /** Page of the source of its worker, relative to this folder. */
  readonly source: string
  readonly command: string
  readonly args: readonly string[]
}

/** A client that cannot run here, and the reason. */
export interface MissingContestant {
  readonly name: string
  readonly missing: string
}

/**
 * Returns the clients. Those of others are installed into the folder `competitors`, outside of the
 * workspaces, so the project does not depend on them.
 */
export async function findContestants(
  supervisor: Supervisor,
  say: (text: string) => void
): Promise<(Contestant | MissingContestant)[]> {
  await installCompetitors(say)
  const node = (name: string, file: string, version: string): Contestant => {
    const source = `competitors/${file}`
    return { name, version, source, command: process.execPath, args: [join(import.meta.dirname, source)] }
  }
  const contestants: (Contestant | MissingContestant)[] = [
    node('@orderly/kafka', 'ours.mjs', versionOf(join(projectDirectory, 'packages', 'kafka'))),
    node('kafkajs', 'kafkajs.mjs', versionOf(join(competitors, 'node_modules', 'kafkajs'))),
    node(
      '@platformatic/kafka',
      'platformatic.mjs',
      versionOf(join(projectDirectory, 'node_modules/@platformatic/kafka'))
    ),
    await orMissing('@confluentinc/kafka-javascript', async () => {
      const folder = join(competitors, 'node_modules/@confluentinc/kafka-javascript')
      await buildNative(folder, say)
      return node('@confluentinc/kafka-javascript', 'confluent.mjs', versionOf(folder))
    }),
    await orMissing('Java client', () => javaContestant(supervisor))
  ]
  return contestants
}

async function orMissing(name: string, find: () => Promise<Contestant>): Promise<Contestant | MissingContestant> {
  try {
    return await find()
  } catch (error) {
    const { stderr, message } = error as Error & { readonly stderr?: string }
    return { name, missing: (stderr || message).trim().split('\n').at(-1) ?? '' }
  }
}

async function installCompetitors(say: (text: string) => void): Promise<void> {
  const lock = readFileSync(join(competitors, 'package-lock.json'))
  const hash = createHash('sha256').update(lock).digest('hex')
  const mark = join(competitors, 'node_modules', '.orderly-installed')
  if (existsSync(mark) && readFileSync(mark, 'utf8') === hash) return
  say('installing the other clients')
  const npm = process.env.npm_execpath
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  await run(npm === undefined ? 'npm' : process.execPath, npm === undefined ? args : [npm, ...args], {
    cwd: competitors
  })
  writeFileSync(mark, hash)
}

/**
 * Builds the native addon from the sources of librdkafka that its package contains, with the headers
 * of the running Node and the libraries of the system. The prebuilt one is not in the registry.
 * @throws Error if the running Node cannot load it
 */
async function buildNative(folder: string, say: (text: string) => void): Promise<void> {
  const load = () => run(process.execPath, ['--eval', 'require(process.argv[1])', folder])
  const isBuilt = await load().then(
    () => true,
    () => false
  )
  if (isBuilt) return
  say("building the native addon of Confluent's client, which takes some minutes")
  const headers = join(process.execPath, '..', '..')
  const npm = realpathSync(process.env.npm_execpath ?? '/usr/bin/npm')
  const gyp = join(npm, '..', '..', 'node_modules', 'node-gyp', 'bin', 'node-gyp.js')
  // node-gyp prefers npm's setting `nodedir` to its argument.
  const env = { ...process.env, CKJS_LINKING: 'dynamic', npm_config_nodedir: headers }
  await run(process.execPath, [gyp, 'rebuild'], { cwd: folder, env, maxBuffer: 2 ** 28 })
  await load()
}

async function javaContestant(supervisor: Supervisor): Promise<Contestant> {
  const java = chooseJava(findJavas(), 'JDK')
  await fetchJars(peersJars, { supervisor, say: () => {} })
  const jars = await classPath(peersJars)
  const classes = join(orderlyDirectory, 'bench', 'clients')
  await mkdir(classes, { recursive: true })
  const source = 'java/ClientLoop.java'
  await run(join(java.home, 'bin', 'javac'), ['-d', classes, '-cp', jars, join(import.meta.dirname, source)])
  const version = /kafka-clients-([\d.]+)\.jar/.exec(jars)?.[1] ?? ''
  const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=off'
  const args = ['-Xmx512m', quiet, '-cp', [classes, jars].join(delimiter), 'ClientLoop']
  return { name: 'Java client', version, source, command: join(java.home, 'bin', 'java'), args }
}

function versionOf(folder: string): string {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version
}
