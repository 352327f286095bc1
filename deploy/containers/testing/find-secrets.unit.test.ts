import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { secretsIn } from './find-secrets.ts'

const password = 'abcdefghijklmnopqrstuvwxyz'

test('a key, a file of settings and a password in a layer are found, and packages are left out', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-layer-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const files = {
    'app/.env': '',
    'app/server.key': '-----BEGIN PRIVATE KEY-----\n',
    'app/settings.json': `{ "password": "${password}" }\n`,
    'app/main.ts': 'const password = readFileSync(passwordFile)\n',
    'app/node_modules/tls/test.pem': '-----BEGIN PRIVATE KEY-----\n'
  }
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, 'root', name)), { recursive: true })
    writeFileSync(join(directory, 'root', name), text)
  }
  const layer = join(directory, 'layer.tar')
  execFileSync('tar', ['--create', '--file', layer, '--directory', join(directory, 'root'), 'app'])
  assert.deepEqual((await secretsIn(layer)).toSorted(), [
    '-----BEGIN PRIVATE KEY-----',
    'app/.env',
    'app/server.key',
    `password": "${password}"`
  ])
})
