import { createHash } from 'node:crypto'
import { existsSync, globSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { jarsDirectory } from '../directories.ts'
import type { Java } from '../preflight/java.ts'
import { runToEnd, type Supervisor } from '../processes/supervisor.ts'
import { classPath, type Jars, jarsHome, javaCompilerJars } from './jars.ts'
import { javaCommand } from './java-process.ts'

export interface JavaSources {
  /** Name of the process, and prefix of the folder with the classes. */
  readonly name: string
  /** Folder with the source files. */
  readonly source: string
  readonly libraries: readonly Jars[]
}

/** Compiles Java sources into a folder, with a compiler that needs no JDK. */
export async function compileJava(
  supervisor: Supervisor,
  java: Java,
  { name, source, libraries }: JavaSources,
  output: string
): Promise<void> {
  await mkdir(output, { recursive: true })
  const path = await Promise.all(libraries.map(classPath))
  await runToEnd(
    supervisor,
    javaCommand(java, {
      name: `${name}-compile`,
      args: [
        ...['-jar', join(jarsHome(javaCompilerJars), javaCompilerJars.mainFile), '-17', '-proc:none', '-nowarn'],
        ...['-cp', path.join(delimiter), '-d', output, source]
      ]
    })
  )
}

/** Returns a folder with the compiled classes of the sources. They are compiled once. */
export async function compiledClasses(supervisor: Supervisor, java: Java, sources: JavaSources): Promise<string> {
  const { name, source, libraries } = sources
  const hash = createHash('sha256').update(libraries.map(jars => `${jars.name} ${jars.version}\n`).join(''))
  for (const file of globSync('**/*.java', { cwd: source }).toSorted()) {
    hash.update(`${file}\n`).update(await readFile(join(source, file)))
  }
  const home = join(jarsDirectory, `${name}-${hash.digest('hex').slice(0, 12)}`)
  if (existsSync(home)) return home
  // A folder with the final name is always complete.
  const unfinished = await mkdtemp(join(jarsDirectory, `.${name}-`))
  try {
    await compileJava(supervisor, java, sources, unfinished)
    await rename(unfinished, home).catch(error => {
      if (!existsSync(home)) throw error
    })
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
  return home
}
