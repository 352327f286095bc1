import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { formatLock, type LockedJar, readLock } from './jar-lock.ts'
import { obtainLockedFiles } from './locked-files.ts'

const content = Buffer.from('the content of a jar')
const jar = lockedJar('org/example/example/1/example-1.jar', content)

function lockedJar(path: string, bytes: Buffer): LockedJar {
  return { path, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-jars-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return directory
}

async function setUp(t: TestContext, answer: RequestListener) {
  const server = createServer(answer).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const home = temporaryDirectory(t)
  return {
    home,
    directory: join(home, 'downloads'),
    localRepository: join(home, 'repository'),
    mirror: `http://127.0.0.1:${(server.address() as AddressInfo).port}/maven/`
  }
}

test('a file of the lock is downloaded from the mirror once', async t => {
  const paths: string[] = []
  const options = await setUp(t, (request, response) => {
    paths.push(request.url ?? '')
    response.end(content)
  })
  const [file = ''] = await obtainLockedFiles([jar], options)
  assert.deepEqual(readFileSync(file), content)
  await obtainLockedFiles([jar], options)
  assert.deepEqual(paths, [`/maven/${jar.path}`])
})

test('a file with another SHA-256 is refused and deleted', async t => {
  const options = await setUp(t, (_request, response) => response.end(Buffer.from(content).fill('x', 0, 1)))
  await assert.rejects(obtainLockedFiles([jar], options), /example-1\.jar differs from the file in jars\.lock/)
  assert.deepEqual(readdirSync(options.directory), [])
})

test('a download that exceeds the size in the lock is aborted', async t => {
  const options = await setUp(t, (_request, response) => response.end(Buffer.concat([content, content])))
  await assert.rejects(obtainLockedFiles([jar], options), /more than the 20 bytes/)
})

test('a file of the local repository is used only if it matches the lock', async t => {
  let requests = 0
  const options = await setUp(t, (_request, response) => {
    requests++
    response.end(content)
  })
  const local = join(options.localRepository, jar.path)
  mkdirSync(dirname(local), { recursive: true })
  writeFileSync(local, content)
  await obtainLockedFiles([jar], options)
  assert.equal(requests, 0)
  const other = lockedJar(jar.path, Buffer.from('another'))
  await assert.rejects(obtainLockedFiles([other], options))
  assert.ok(requests > 0)
})

test('a partial download of an ended process is continued', async t => {
  const ranges: (string | undefined)[] = []
  const options = await setUp(t, (request, response) => {
    ranges.push(request.headers.range)
    response.statusCode = 206
    response.end(content.subarray(5))
  })
  const { pid } = spawnSync(process.execPath, ['--version'])
  mkdirSync(options.directory)
  writeFileSync(join(options.directory, `${jar.sha256}.${pid}.part`), content.subarray(0, 5))
  const [file = ''] = await obtainLockedFiles([jar], options)
  assert.deepEqual(readFileSync(file), content)
  assert.deepEqual(ranges, ['bytes=5-'])
  assert.deepEqual(readdirSync(options.directory), [jar.sha256])
})

test('an unreachable source is reported with the setting for a mirror', async t => {
  const options = await setUp(t, (_request, response) => response.writeHead(503).end())
  await assert.rejects(obtainLockedFiles([jar], options), /HTTP 503.*ORDERLY_MAVEN_REPOSITORY/)
})

test('a lock is refused if its pom.xml has changed or a path leaves the repository', t => {
  const directory = temporaryDirectory(t)
  mkdirSync(join(directory, 'server'))
  const write = (name: string, text: string) => writeFileSync(join(directory, 'server', name), text)
  const pomSHA256 = createHash('sha256').update('<project/>').digest('hex')
  write('pom.xml', '<project/>')
  write('jars.lock', formatLock({ pomSHA256, jars: [jar] }))
  assert.deepEqual(readLock('server', directory), [jar])
  write('jars.lock', formatLock({ pomSHA256, jars: [{ ...jar, path: '../example.jar' }] }))
  assert.throws(() => readLock('server', directory), /line 2, is malformed: run `npm run lock-jars -- server`/)
  write('pom.xml', '<project></project>')
  assert.throws(() => readLock('server', directory), /does not match its pom\.xml/)
})

test('each set of jars has a lock that matches its pom.xml', () => {
  const present = readdirSync(join(import.meta.dirname, '..', 'jars'), { withFileTypes: true })
  const names = present.filter(entry => entry.isDirectory()).map(({ name }) => name)
  for (const name of names) assert.ok(readLock(name).length > 0, name)
})

test('verify.sh, used by the image build, accepts exactly the files of the locks', t => {
  const directory = temporaryDirectory(t)
  const lock = join(directory, 'jars.lock')
  const folder = join(directory, 'folder')
  mkdirSync(folder)
  writeFileSync(lock, formatLock({ pomSHA256: jar.sha256, jars: [jar] }))
  const verify = () => spawnSync(join(import.meta.dirname, '..', 'jars', 'verify.sh'), [folder, lock]).status
  assert.equal(verify(), 1, 'a missing file')
  writeFileSync(join(folder, 'example-1.jar'), content)
  assert.equal(verify(), 0)
  writeFileSync(join(folder, 'other.jar'), content)
  assert.equal(verify(), 1, 'an additional file')
  rmSync(join(folder, 'other.jar'))
  writeFileSync(join(folder, 'example-1.jar'), 'something else')
  assert.equal(verify(), 1, 'different content')
})
