import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { orderlyDirectory } from '../../directories.ts'
import { UserError } from '../../user-error.ts'
import { skip } from '../programs.ts'

const run = promisify(execFile)
const requirements = join(import.meta.dirname, 'requirements.txt')
const settings = join(import.meta.dirname, 'schemathesis.toml')
const isUsable = 'import ensurepip, sys; sys.exit(sys.version_info < (3, 10))'

/**
 * Returns a Python with Schemathesis (https://schemathesis.readthedocs.io), which sends valid and
 * invalid requests derived from an OpenAPI document. Without Python 3.10 the test is skipped with
 * advice on what to install; in CI (`CI` is set) it fails.
 */
export async function pythonOrSkip(test: TestContext): Promise<string | undefined> {
  try {
    await run('python3', ['-c', isUsable])
  } catch (cause) {
    const missing = new UserError(
      'Schemathesis needs Python 3.10 or newer with its venv: on Debian or Ubuntu `apt-get install python3-venv`, on macOS `brew install python`.'
    )
    return skip(test, Object.assign(missing, { cause }))
  }
  return install()
}

/**
 * Installs Schemathesis into a separate environment in `.orderly/tools`, with the versions of
 * `requirements.txt`.
 * @returns the environment's Python, because installed programs contain absolute paths, and a
 * checkout may be moved
 */
async function install(): Promise<string> {
  const version = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex')
  const home = join(orderlyDirectory, 'tools', `schemathesis-${version.slice(0, 12)}`)
  const [python, finished] = [join(home, 'bin', 'python'), join(home, 'finished')]
  if (!existsSync(finished)) {
    await rm(home, { recursive: true, force: true })
    await mkdir(home, { recursive: true })
    await run('python3', ['-m', 'venv', home])
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary=:all:']
    await run(python, [...pip, '--requirement', requirements])
    await writeFile(finished, '')
  }
  return python
}

/** Tests a running service against its OpenAPI document. @throws Error with all findings */
export async function tryWhateverItSays(python: string, serviceURL: string, apiKey: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'orderly-schemathesis-'))
  try {
    const document = await (await fetch(`${serviceURL}/openapi.json`)).json()
    await writeFile(join(directory, 'openapi.json'), JSON.stringify(within(document)))
    await run(
      python,
      [
        ...['-m', 'schemathesis.cli', '--config-file', settings, 'run', 'openapi.json', '--no-color'],
        ...['--url', serviceURL, '--header', `Authorization: Bearer ${apiKey}`]
      ],
      { cwd: directory, timeout: 180_000, maxBuffer: 50e6 }
    )
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`Schemathesis on ${serviceURL}:\n${stdout}\n${stderr}`, { cause: error })
  } finally {
    await rm(directory, { recursive: true })
  }
}

const unknownTypes = new Set(['application/x-ndjson', 'text/csv'])

/**
 * Returns the part of a document that Schemathesis can generate requests for: without ranges
 * of surrogates in patterns, NDJSON and CSV.
 */
function within(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(within)
  if (typeof part !== 'object' || part === null) return part
  const fields = Object.entries(part).filter(([name]) => !unknownTypes.has(name))
  return Object.fromEntries(
    fields.map(([name, value]) => {
      const isUnicode = name === 'pattern' && typeof value === 'string' && value.includes('\\ud800')
      return [name, isUnicode ? '^[!-~]*$' : within(value)]
    })
  )
}
