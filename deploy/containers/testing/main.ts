/**
 * Builds the images and runs the compose file in containers (`npm run test:containers`): on the engine
 * that answers, else on a private one. Stops and removes everything that it started, also after a
 * failure or Ctrl-C. Images stay.
 */
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createRunDirectories, projectDirectory, runCommand, type Supervisor, takeRunLock } from '@orderly/launcher'
import { prepareBaseImages } from './base-images.ts'
import { compose, docker, type Engine, findCompose } from './docker.ts'
import { baseImages, buildImages } from './images.ts'
import { installEngine, type PrivateEngine, startPrivateEngine } from './private-engine.ts'
import { composeFile, overrides, type Project, projectVariable } from './project.ts'

const say = (text: string) => process.stdout.write(`${text}\n`)

await runCommand(
  {
    name: 'npm run test:containers',
    summary: 'build the images, and test the compose file in containers',
    examples: ['npm run test:containers'],
    options: {}
  },
  async ({ supervise, signal }) => {
    const directories = createRunDirectories('containers')
    const lock = takeRunLock(directories.run)
    try {
      const own = await existingEngine()
      const missing = own === undefined ? await installEngine() : undefined
      if (missing !== undefined) {
        say(`skipped: ${missing}`)
        return process.env.CI ? 1 : 0
      }
      return await runTests(own, { ...directories, supervisor: supervise(directories.logs), signal })
    } finally {
      lock.release()
    }
  }
)

interface Run {
  /** Folder of a private engine's images. */
  readonly data: string
  readonly logs: string
  readonly supervisor: Supervisor
  readonly signal: AbortSignal
}

/** Runs the tests, and then removes what they created. @returns the exit code */
async function runTests(own: Engine | undefined, { data, logs, supervisor, signal }: Run): Promise<number> {
  const engine: Engine & Partial<PrivateEngine> = own ?? (await startPrivateEngine(supervisor, data))
  const name = `orderly-test-${randomBytes(3).toString('hex')}`
  const overridesFile = join(logs, 'overrides.yaml')
  const files = ['--progress', 'quiet', '--file', composeFile, '--file', overridesFile, '--project-name', name]
  try {
    const unavailable = await prepareBaseImages(engine, baseImages(), { supervisor, say })
    await writeFile(overridesFile, overrides({ unavailable, bridge: engine.bridge }))
    signal.throwIfAborted()
    await buildImages(engine, say)
    signal.throwIfAborted()
    const { isPrivate, environment, compose } = engine
    const project: Project = { engine: { isPrivate, environment, compose }, name, files, unavailable }
    const tests = supervisor.start({
      name: 'tests',
      tier: 'service',
      command: process.execPath,
      args: ['--test-reporter=spec', join(import.meta.dirname, '..', 'compose.containers.test.ts')],
      cwd: projectDirectory,
      env: { ...process.env, [projectVariable]: JSON.stringify(project) },
      output: 'inherit'
    })
    return (await tests.exited).code ?? 1
  } finally {
    const everyProfile = { COMPOSE_PROFILES: '*' }
    await compose(engine, [...files, 'down', '--volumes', '--timeout', '5'], { env: everyProfile }).catch(() => {})
    await engine.remove?.()
  }
}

/** Returns the engine that `docker` reaches; undefined if none answers. */
async function existingEngine(): Promise<Engine | undefined> {
  const environment = { DOCKER_BUILDKIT: '1' }
  const engine = { isPrivate: false, environment, compose: [] }
  const answers = await docker(engine, ['version'], { timeout: 30_000 }).then(
    () => true,
    () => false
  )
  return answers ? { ...engine, compose: await findCompose() } : undefined
}
