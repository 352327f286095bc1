import { createHash } from 'node:crypto'
import { existsSync, globSync } from 'node:fs'
import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { jarsDirectory, projectDirectory } from '../directories.ts'
import type { Java } from '../preflight/java.ts'
import type { Supervisor } from '../processes/supervisor.ts'
import { compileJava } from './compile-java.ts'
import { jarFile } from './jar-file.ts'
import { auditSinkJars, avroConverterJars, connectJars, jarsHome } from './jars.ts'

const source = join(projectDirectory, 'deploy', 'connect', 'plugin')
const libraries = [avroConverterJars, auditSinkJars]

/**
 * Prepares a folder for `plugin.path` with one plugin: the converter and sinks of
 * `deploy/connect/plugin`, and the jars they use. Connect creates a class loader for each folder in
 * it.
 */
export async function preparePlugins(supervisor: Supervisor, java: Java): Promise<string> {
  const files = await entriesUnder(source, '**/*')
  const hash = createHash('sha256').update(libraries.map(({ name, version }) => `${name} ${version}\n`).join(''))
  for (const { name, content } of files) hash.update(`${name}\n`).update(content)
  const home = join(jarsDirectory, `connect-plugins-${hash.digest('hex').slice(0, 12)}`)
  if (existsSync(home)) return home
  const unfinished = await mkdtemp(join(jarsDirectory, '.connect-plugins-'))
  try {
    const plugin = join(unfinished, 'orderly')
    for (const jars of libraries) await cp(jarsHome(jars), plugin, { recursive: true })
    const resources = files.filter(({ name }) => !name.endsWith('.java'))
    const classes = await compile(supervisor, java, join(unfinished, 'classes'))
    await writeFile(join(plugin, 'orderly.jar'), jarFile([...resources, ...classes]))
    await rename(unfinished, home).catch(error => {
      if (!existsSync(home)) throw error
    })
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
  return home
}

async function compile(supervisor: Supervisor, java: Java, output: string) {
  const sources = { name: 'connect-plugin', source, libraries: [connectJars, ...libraries] }
  await compileJava(supervisor, java, sources, output)
  const entries = await entriesUnder(output, '**/*.class')
  await rm(output, { recursive: true })
  return entries
}

/** Returns the files below a folder, with their relative paths. */
async function entriesUnder(directory: string, pattern: string) {
  const files = globSync(pattern, { cwd: directory, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
  return Promise.all(
    files.toSorted().map(async file => ({ name: file.slice(directory.length + 1), content: await readFile(file) }))
  )
}
