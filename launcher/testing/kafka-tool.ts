import { execFile } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { classPath, type Jars, kafkaJars } from '../components/jars.ts'
import { chooseJava, findJavas } from '../preflight/java.ts'

/** Runs one of Kafka's command line tools. @returns its standard output */
export async function runKafkaTool(
  mainClass: string,
  args: readonly string[],
  pluginJars: readonly Jars[] = []
): Promise<string> {
  const java = chooseJava(findJavas())
  const classPaths = await Promise.all([kafkaJars, ...pluginJars].map(classPath))
  const jvm = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', classPaths.join(delimiter)]
  const { stdout } = await promisify(execFile)(join(java.home, 'bin', 'java'), [...jvm, mainClass, ...args], {
    maxBuffer: 256 * 1024 * 1024
  })
  return stdout
}
