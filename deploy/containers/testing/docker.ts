import { type ExecFileOptions, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { orderlyDirectory } from '@orderly/launcher'
import { withGo } from '../../testing/build-with-go.ts'

const run = promisify(execFile)
const composeVersion = 'v2.40.3'
/** Client of Debian's package, else the one on PATH. */
export const dockerProgram = () => (existsSync('/usr/bin/docker') ? '/usr/bin/docker' : 'docker')

/** A container engine, and the programs that control it. It can be passed to another process as JSON. */
export interface Engine {
  /** True if it was started for this run. Base images may then be substitutes. */
  readonly isPrivate: boolean
  /** Variables that select this engine. */
  readonly environment: Readonly<Record<string, string>>
  /** Program and first arguments of Compose. */
  readonly compose: readonly string[]
}

export type DockerOptions = Pick<ExecFileOptions, 'timeout' | 'signal' | 'cwd' | 'env'>

/** Runs `docker`. @returns its standard output */
export async function docker(engine: Engine, args: readonly string[], options: DockerOptions = {}): Promise<string> {
  return call(engine, dockerProgram(), args, options)
}

/** Runs Compose. @returns its standard output */
export async function compose(engine: Engine, args: readonly string[], options: DockerOptions = {}): Promise<string> {
  const [program = '', ...first] = engine.compose
  return call(engine, program, [...first, ...args], options)
}

async function call(
  { environment }: Engine,
  program: string,
  args: readonly string[],
  options: DockerOptions
): Promise<string> {
  const env = { ...process.env, ...environment, ...options.env }
  const { stdout } = await run(program, args, { ...options, env, maxBuffer: 100_000_000, encoding: 'utf8' })
  return stdout
}

/** Pipes the output of a program into `docker`. */
export async function pipeToDocker(engine: Engine, source: readonly string[], args: readonly string[]): Promise<void> {
  const [program = '', ...first] = source
  const from = spawn(program, first, { stdio: ['ignore', 'pipe', 'inherit'] })
  const to = spawn(dockerProgram(), args, {
    env: { ...process.env, ...engine.environment },
    stdio: ['pipe', 'ignore', 'inherit']
  })
  const ended = new Promise<number | null>(resolve => to.once('exit', resolve))
  await pipeline(from.stdout, to.stdin)
  const code = await ended
  if (code !== 0) throw new Error(`docker ${args.join(' ')} exited with ${code}`)
}

/** Returns Compose as a plugin of `docker`, else builds it with Go, once. */
export async function findCompose(): Promise<readonly string[]> {
  const plugin = [dockerProgram(), 'compose']
  if (await run(dockerProgram(), ['compose', 'version']).catch(() => undefined)) return plugin
  const program = join(orderlyDirectory, 'tools', `compose-${composeVersion}`, 'docker-compose')
  const module = 'github.com/docker/compose/v2'
  await withGo(go =>
    go.build(program, {
      ...{ module, version: composeVersion, path: 'cmd' },
      versionVariable: `${module}/internal.Version`
    })
  )
  return [program]
}
