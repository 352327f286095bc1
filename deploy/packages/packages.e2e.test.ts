import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { chooseJava, findJavas, freePorts, loopback, orderlyDirectory, projectDirectory } from '@orderly/launcher'
import { pythonOrSkip, startLauncher } from '@orderly/launcher/testing'
import { dryPublish, projectWith, temporaryFolder } from '../testing/install-package.ts'
import { installNode, lowestNodes } from '../testing/node-versions.ts'
import { findChromium, runInChromium } from '../testing/run-in-chromium.ts'
import { type BuiltPackage, buildPackage } from './build.ts'
import { lintPackage } from './lint.ts'
import { pack } from './main.ts'

const run = promisify(execFile)
const readme = readFileSync(join(projectDirectory, 'packages', 'client', 'README.md'), 'utf8')
const [quickStart = '', receiver = ''] = [...readme.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code]) => code)

describe('the packed client', () => {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-package-'))
  let built: BuiltPackage
  let tarball: string

  after(() => rmSync(directory, { recursive: true, force: true }))
  before(async () => {
    built = await buildPackage('client', join(directory, 'client'))
    const [file = ''] = await pack(built, directory)
    tarball = join(directory, file)
  })

  const projectWithClient = (t: TestContext) => projectWith(t, tarball)

  test('npm publish accepts it without a warning', async () => {
    assert.match(await dryPublish(built), /dist\/client\/index\.js/)
  })

  test('a strict TypeScript project compiles its README, with the types of browsers or of Node', async t => {
    const directory = await projectWithClient(t)
    writeFileSync(join(directory, 'order.ts'), quickStart)
    writeFileSync(join(directory, 'receiver.ts'), receiver)
    const types = join(projectDirectory, 'node_modules', '@types')
    const browser = { lib: ['es2022', 'dom', 'dom.iterable'], types: [] }
    for (const [compiler, options] of [
      ['node_modules/typescript', browser],
      ['node_modules/typescript', { lib: ['es2022'], types: ['node'], typeRoots: [types] }],
      ['node_modules/typescript', { ...browser, module: 'esnext', moduleResolution: 'bundler' }],
      ['packages/client/node_modules/typescript', browser]
    ] as const) {
      const base = { strict: true, noEmit: true, skipLibCheck: false, target: 'es2022', module: 'nodenext' }
      const tsconfig = { compilerOptions: { ...base, ...options }, files: ['order.ts', 'receiver.ts'] }
      writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(tsconfig))
      const tsc = join(projectDirectory, compiler, 'bin', 'tsc')
      await run(process.execPath, [tsc, '-p', directory]).catch(error => assert.fail(`${compiler}: ${error.stdout}`))
    }
  })

  test('it runs where only what browsers have is defined', async t => {
    const directory = await projectWithClient(t)
    const program = join(import.meta.dirname, '..', 'testing', 'run-as-browser.mjs')
    const entry = join(directory, 'node_modules', '@orderly', 'client', 'dist', 'client', 'index.js')
    const { stdout } = await run(process.execPath, ['--experimental-vm-modules', '--no-warnings', program, entry])
    assert.deepEqual(JSON.parse(stdout), { statuses: ['accepted', 'reserved'], type: 'order.reserved' })
  })

  test('a running service serves its README example on Node 20.3, 22 and 24, and a Python client', {
    timeout: 600_000
  }, async t => {
    const directory = await projectWithClient(t)
    const ports = await freePorts([
      ...['KAFKA', 'KAFKA_CONTROLLER', 'POSTGRES', 'REGISTRY', 'ORDER', 'INVENTORY', 'NOTIFICATION', 'AGGREGATOR']
    ] as const)
    const name = `e2e-${randomBytes(4).toString('hex')}`
    const settings = Object.entries(ports).map(([port, value]) => [`ORDERLY_${port}_PORT`, String(value)])
    const { page } = await freePorts(['page'] as const)
    const launcher = startLauncher(t, 'start', ['--run', name], {
      ...Object.fromEntries(settings),
      HTTP_ALLOWED_ORIGINS: `http://localhost:${page}`,
      ORDER_TOKEN_SECRETS: randomBytes(32).toString('hex')
    })
    // Hooks run in order, so the launcher has stopped.
    t.after(() => rmSync(join(orderlyDirectory, name), { recursive: true, force: true }))
    await launcher.waitFor('Ctrl-C stops everything', 240_000)

    const example = join(directory, 'order.mjs')
    assert.ok(quickStart.includes('http://127.0.0.1:8080'))
    writeFileSync(example, quickStart.replace('http://127.0.0.1:8080', `http://${loopback}:${ports.ORDER}`))
    const printsTheOutcome = async (node: string) => {
      const { stdout } = await run(node, [example], { cwd: directory })
      assert.match(stdout, /^(accepted\n)?reserved\n$/)
    }
    await t.test(`Node ${process.versions.node}`, () => printsTheOutcome(process.execPath))
    for (const version of lowestNodes) {
      await t.test(`Node ${version}`, async t => {
        const node = await installNode(version).catch((error: Error) => {
          if (process.env.CI) throw error
          t.skip(`Node ${version} cannot be installed: ${error.message}`)
        })
        if (node !== undefined) await printsTheOutcome(node)
      })
    }
    await t.test('a page of another origin', async t => {
      const chromium = findChromium()
      if (chromium === undefined) return t.skip('Chromium is not installed: apt-get install chromium')
      const module = readFileSync(join(import.meta.dirname, '..', 'testing', 'follow-order.js'), 'utf8')
      const found = await runInChromium(t, {
        chromium,
        port: page,
        folder: join(directory, 'node_modules', '@orderly', 'client', 'dist', 'client'),
        module,
        argument: `http://${loopback}:${ports.ORDER}`
      })
      assert.deepEqual(found, { last: 'reserved', first: 'accepted', status: 'reserved', hasToken: true })
    })
    await t.test('a Python client generated from the OpenAPI document', t =>
      tryPythonClient(t, `http://${loopback}:${ports.ORDER}`)
    )
  })
})

/**
 * Generates a client with OpenAPI Generator (https://openapi-generator.tech) from the document of a
 * running service, and places orders with it.
 */
async function tryPythonClient(t: TestContext, serviceURL: string): Promise<void> {
  const folder = join(import.meta.dirname, '..', 'testing', 'python-client')
  const python = await pythonOrSkip(t, 'OpenAPI-Generator', join(folder, 'requirements.txt'))
  if (python === undefined) return
  const directory = temporaryFolder(t)
  const program = ['-c', 'from openapi_generator_cli import cli; cli()']
  const input = ['generate', '-g', 'python', '-i', `${serviceURL}/openapi.json`]
  const env = { ...process.env, PATH: `${join(chooseJava(findJavas()).home, 'bin')}:${process.env.PATH}` }
  await run(python, [...program, ...input, '-o', directory, '--package-name', 'orderly_orders'], { env })
  const { stdout } = await run(python, [join(folder, 'place-orders.py'), serviceURL, directory])
  assert.deepEqual(JSON.parse(stdout), {
    status: 'reserved',
    isReplay: true,
    batch: [202, 202],
    ndjson: [202, 202, 202],
    refused: [422, 'IDEMPOTENCY_KEY_REUSED'],
    isListed: true
  })
}

test('publint and attw report a package whose entries do not match its files', async t => {
  const built = await buildPackage('client', join(temporaryFolder(t), 'client'))
  const file = join(built.directory, 'package.json')
  const manifest = JSON.parse(readFileSync(file, 'utf8'))
  manifest.exports['.'] = { default: './dist/client/missing.js', types: manifest.types }
  writeFileSync(file, JSON.stringify(manifest))
  const findings = (await lintPackage(built)).join('\n')
  assert.match(findings, /publint: .*missing\.js/)
  assert.match(findings, /attw: .*/)
})
