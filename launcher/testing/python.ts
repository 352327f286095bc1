import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { orderlyDirectory } from '../directories.ts'
import { UserError } from '../user-error.ts'
import { skip } from './programs.ts'

const run = promisify(execFile)
const isUsable = 'import ensurepip, sys; sys.exit(sys.version_info < (3, 10))'

/**
 * Returns a Python with packages, installed into a separate environment in `.orderly/tools`.
 * Without Python 3.10 the test is skipped with advice on what to install; in CI (`CI` is set) it
 * fails.
 * @param name what needs Python
 * @param requirements file with exact versions
 * @returns the environment's Python, because installed programs contain absolute paths, and a
 * checkout may be moved
 */
export async function pythonOrSkip(test: TestContext, name: string, requirements: string): Promise<string | undefined> {
  try {
    await run('python3', ['-c', isUsable])
  } catch (cause) {
    const missing = new UserError(
      `${name} needs Python 3.10 or newer with its venv: on Debian or Ubuntu \`apt-get install python3-venv\`, on macOS \`brew install python\`.`
    )
    return skip(test, Object.assign(missing, { cause }))
  }
  const version = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex')
  const home = join(orderlyDirectory, 'tools', `${name.toLowerCase()}-${version.slice(0, 12)}`)
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
