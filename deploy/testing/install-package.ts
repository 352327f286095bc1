import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { projectDirectory } from '@orderly/launcher'
import type { BuiltPackage } from '../packages/build.ts'
import { npm } from '../packages/main.ts'

/** Creates a folder outside of the repository. */
export function temporaryFolder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-package-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/**
 * Creates a project that has a tarball installed, without a network: the packages that it depends on
 * are copied from this repository before.
 * @param dependencies names of the packages that the tarball depends on
 */
export async function projectWith(
  t: TestContext,
  tarball: string,
  dependencies: readonly string[] = []
): Promise<string> {
  const directory = temporaryFolder(t)
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  for (const name of withDependencies(dependencies))
    cpSync(join(projectDirectory, 'node_modules', name), join(directory, 'node_modules', name), { recursive: true })
  await npm(directory, 'install', '--offline', '--no-audit', '--no-fund', tarball)
  return directory
}

/** Returns these packages and all that they need, as far as they are installed on this machine. */
function withDependencies(names: readonly string[]): Set<string> {
  const found = new Set<string>()
  const waiting = [...names]
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const file = join(projectDirectory, 'node_modules', name, 'package.json')
    if (found.has(name) || !existsSync(file)) continue
    found.add(name)
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(readFileSync(file, 'utf8'))
    waiting.push(...Object.keys(dependencies), ...Object.keys(optionalDependencies))
  }
  return found
}

/**
 * Lets npm do everything but publish a package, and checks that it warns of nothing and would
 * publish neither sources nor tests.
 * @returns the list of files
 */
export async function dryPublish({ directory }: BuiltPackage): Promise<string> {
  // The registry cannot be reached, so nothing can be published.
  const { stderr } = await npm(directory, 'publish', '--dry-run', '--offline', '--registry=http://127.0.0.1:9')
  assert.doesNotMatch(stderr.replace(/^npm warn publish .* logged in .*$/m, ''), /npm (warn|error)/)
  assert.doesNotMatch(stderr, /\.test\.|(?<!\.d)\.ts$/m)
  return stderr
}
