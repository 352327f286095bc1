import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type TestContext, test } from 'node:test'

const digest = `sha256:${'a'.repeat(64)}`

/**
 * Copies the script and the files it changes, with a fake `docker` that runs the given shell
 * command.
 */
function setUp(t: TestContext, answer: string) {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-pin-'))
  t.after(() => rmSync(directory, { recursive: true }))
  for (const name of ['pin-images.ts', 'Dockerfile', 'compose.yaml']) {
    copyFileSync(join(import.meta.dirname, name), join(directory, name))
  }
  symlinkSync(join(import.meta.dirname, '..', 'node_modules'), join(directory, 'node_modules'))
  const docker = join(directory, 'docker')
  writeFileSync(docker, `#!/bin/sh\n${answer}\n`)
  chmodSync(docker, 0o755)
  const env = { ...process.env, PATH: `${directory}${delimiter}${process.env.PATH}` }
  const read = () => ['Dockerfile', 'compose.yaml'].map(name => readFileSync(join(directory, name), 'utf8')).join('\n')
  return {
    read,
    run: (...args: string[]) =>
      spawnSync(process.execPath, [join(directory, 'pin-images.ts'), ...args], { env, encoding: 'utf8' })
  }
}

test('every external image gets the digest that its registry reports, and the release check then passes', t => {
  const { read, run } = setUp(t, `echo ${digest}`)
  const before = run('--check')
  assert.equal(before.status, 1)
  assert.match(before.stderr, /^node:[\d.]+-\S+ has no digest: run `npm run pin-images`$/m)
  assert.equal(run().status, 0)
  const text = read()
  const images = [...text.matchAll(/^(?:FROM | +image: )(\S+:\S+)/gm)].map(([, image = '']) => image)
  assert.ok(images.length > 10)
  for (const image of images) assert.equal(image.endsWith(`@${digest}`), !image.startsWith('orderly/'), image)
  assert.equal(run('--check').status, 0)
  run()
  assert.equal(read(), text, 'a second run replaces digests')
})

test('without a valid response from the registry, no file is changed', t => {
  for (const answer of ['echo "no route to host" >&2; exit 1', 'echo latest']) {
    const { read, run } = setUp(t, answer)
    const before = read()
    const { status, stderr } = run()
    assert.equal(status, 1)
    assert.match(stderr, /^Nothing was changed: /)
    assert.equal(read(), before)
  }
})
