import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkPackage, Package } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import type { BuiltPackage } from './build.ts'

/** Resolutions that ES modules without CommonJS cannot serve; the profile `esm-only` of attw. */
const irrelevant = ['node10', 'node16-cjs']

/** Returns the findings of publint and of attw ("are the types wrong") about a built package. */
export async function lintPackage({ directory, name, version }: BuiltPackage): Promise<string[]> {
  const { messages, pkg } = await publint({ pkgDir: directory, pack: false, strict: true })
  const contents = globSync('**/*', { cwd: directory, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
  const files = contents.map(
    file => [file.replace(directory, `/node_modules/${name}`), readFileSync(file, 'utf8')] as const
  )
  const types = await checkPackage(new Package(Object.fromEntries(files), name, version))
  if (types.types === false) return ['attw: the package has no types']
  const relevant = types.problems.filter(
    problem =>
      !('resolutionKind' in problem && irrelevant.includes(problem.resolutionKind)) &&
      problem.kind !== 'CJSResolvesToESM'
  )
  return [
    ...messages.map(message => `publint: ${formatMessage(message, pkg, { color: false }) ?? message.code}`),
    ...relevant.map(problem => `attw: ${JSON.stringify(problem)}`)
  ]
}
