import { createHash } from 'node:crypto'
import { existsSync, globSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { jarsDirectory, projectDirectory } from '../directories.ts'
import type { Java } from '../preflight/java.ts'
import { runToEnd, type Supervisor } from '../processes/supervisor.ts'
import { jarFile } from './jar-file.ts'
import { avroConverterJars, classPath, connectJars, jarsHome, javaCompilerJars, jdbcSinkJars } from './jars.ts'
import { javaCommand } from './java-process.ts'

const sourceDirectory = join(projectDirectory, 'deploy', 'connect', 'plugin')

/**
 * A folder for `plugin.path`: the sink, and our own converter and transformation with the converter that they build on. Each
 * stands in a folder of its own, which Connect gives a class loader of its own.
 */
export async function preparePlugins(supervisor: Supervisor, java: Java): Promise<string> {
  const sources = await readSources()
  const hash = createHash('sha256')
  for (const { name, content } of sources) hash.update(`${name}\n`).update(content)
  const home = join(jarsDirectory, `connect-plugins-${hash.digest('hex').slice(0, 12)}`)
  if (existsSync(home)) return home
  const unfinished = await mkdtemp(join(jarsDirectory, '.connect-plugins-'))
  try {
    const classes = await compile(supervisor, java, unfinished)
    const services = sources.filter(({ name }) => name.startsWith('META-INF/'))
    const own = join(unfinished, 'orderly')
    await cp(jarsHome(avroConverterJars), own, { recursive: true })
    await writeFile(join(own, 'orderly-connect.jar'), jarFile([...services, ...classes]))
    await symlink(jarsHome(jdbcSinkJars), join(unfinished, 'jdbc-sink'))
    await rename(unfinished, home).catch(error => {
      if (!existsSync(home)) throw error
    })
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
  return home
}

function readSources() {
  const names = globSync('**/*', { cwd: sourceDirectory, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
  return Promise.all(names.toSorted().map(file => entryOf(sourceDirectory, file)))
}

async function compile(supervisor: Supervisor, java: Java, directory: string) {
  const output = join(directory, 'classes')
  await mkdir(output)
  const libraries = await Promise.all([connectJars, avroConverterJars].map(classPath))
  await runToEnd(
    supervisor,
    javaCommand(java, {
      name: 'connect-plugin-compile',
      args: [
        ...['-jar', join(jarsHome(javaCompilerJars), javaCompilerJars.mainFile), '-17', '-proc:none', '-nowarn'],
        ...['-cp', libraries.join(delimiter), '-d', output, sourceDirectory]
      ]
    })
  )
  const files = globSync('**/*.class', { cwd: output }).map(name => join(output, name))
  const entries = await Promise.all(files.toSorted().map(file => entryOf(output, file)))
  await rm(output, { recursive: true })
  return entries
}

async function entryOf(directory: string, file: string) {
  return { name: file.slice(directory.length + 1), content: await readFile(file) }
}
