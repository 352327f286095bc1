import { createHash } from 'node:crypto'
import { existsSync, globSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { jarsDirectory, projectDirectory } from '../directories.ts'
import type { Java } from '../preflight/java.ts'
import { runToEnd, type Supervisor } from '../processes/supervisor.ts'
import { jarFile } from './jar-file.ts'
import {
  avroConverterJars,
  classPath,
  connectJars,
  type Jars,
  jarsHome,
  javaCompilerJars,
  jdbcSinkJars
} from './jars.ts'
import { javaCommand } from './java-process.ts'

/** What of ours stands beside which jars, in `deploy/connect`. */
const plugins = [
  { source: 'plugin', jars: avroConverterJars },
  { source: 'sink', jars: jdbcSinkJars }
] as const

/**
 * A folder for `plugin.path`: the converter with our own converter and transformation, and the sink with our own. Each stands in a
 * folder of its own, which Connect gives a class loader of its own.
 */
export async function preparePlugins(supervisor: Supervisor, java: Java): Promise<string> {
  const hash = createHash('sha256')
  for (const { source } of plugins)
    for (const { name, content } of await entriesUnder(sourceDirectory(source), '**/*'))
      hash.update(`${source} ${name}\n`).update(content)
  const home = join(jarsDirectory, `connect-plugins-${hash.digest('hex').slice(0, 12)}`)
  if (existsSync(home)) return home
  const unfinished = await mkdtemp(join(jarsDirectory, '.connect-plugins-'))
  try {
    await Promise.all(
      plugins.map(async ({ source, jars }) => {
        await cp(jarsHome(jars), join(unfinished, source), { recursive: true })
        const services = await entriesUnder(sourceDirectory(source), 'META-INF/**')
        const classes = await compile(supervisor, java, { source, jars, output: join(unfinished, `${source}-classes`) })
        await writeFile(join(unfinished, source, 'orderly.jar'), jarFile([...services, ...classes]))
      })
    )
    await rename(unfinished, home).catch(error => {
      if (!existsSync(home)) throw error
    })
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
  return home
}

function sourceDirectory(source: string): string {
  return join(projectDirectory, 'deploy', 'connect', source)
}

async function compile(
  supervisor: Supervisor,
  java: Java,
  { source, jars, output }: { source: string; jars: Jars; output: string }
) {
  await mkdir(output)
  const libraries = await Promise.all([connectJars, jars].map(classPath))
  await runToEnd(
    supervisor,
    javaCommand(java, {
      name: `connect-${source}-compile`,
      args: [
        ...['-jar', join(jarsHome(javaCompilerJars), javaCompilerJars.mainFile), '-17', '-proc:none', '-nowarn'],
        ...['-cp', libraries.join(delimiter), '-d', output, sourceDirectory(source)]
      ]
    })
  )
  const entries = await entriesUnder(output, '**/*.class')
  await rm(output, { recursive: true })
  return entries
}

/** The files under a folder, by their paths there. */
async function entriesUnder(directory: string, pattern: string) {
  const files = globSync(pattern, { cwd: directory, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
  return Promise.all(
    files.toSorted().map(async file => ({ name: file.slice(directory.length + 1), content: await readFile(file) }))
  )
}
