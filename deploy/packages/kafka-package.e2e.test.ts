import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { readCommitted } from '@orderly/kafka/testing'
import { projectDirectory } from '@orderly/launcher'
import { startBroker } from '@orderly/launcher/testing'
import { dryPublish, projectWith } from '../testing/install-package.ts'
import { installNode, lowestNodes } from '../testing/node-versions.ts'
import { type BuiltPackage, buildPackage, publishedLinks } from './build.ts'
import { pack } from './main.ts'

const run = promisify(execFile)
const readme = readFileSync(join(projectDirectory, 'packages', 'kafka', 'README.md'), 'utf8')
const [, quickStart = ''] = /^```ts\n([\s\S]*?)^```/m.exec(readme) ?? []

describe('the packed Kafka library', () => {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-package-'))
  let built: BuiltPackage
  let tarball: string
  let dependencies: readonly string[]

  after(() => rmSync(directory, { recursive: true, force: true }))
  before(async () => {
    built = await buildPackage('kafka', join(directory, 'kafka'))
    const [file = ''] = await pack(built, directory)
    tarball = join(directory, file)
    const manifest = JSON.parse(readFileSync(join(built.directory, 'package.json'), 'utf8'))
    dependencies = Object.keys(manifest.dependencies)
  })

  const projectWithKafka = (t: TestContext) => projectWith(t, tarball, dependencies)

  test('npm publish accepts it without a warning', async () => {
    assert.match(await dryPublish(built), /dist\/kafka\/index\.js/)
  })

  test('it contains the private packages that it uses, and imports none', () => {
    assert.deepEqual(dependencies, ['@node-rs/crc32', '@platformatic/kafka'])
    assert.deepEqual(built.contains.toSorted(), ['batching', 'kafka', 'retry'])
    const files = globSync('dist/**/*.{js,d.ts}', { cwd: built.directory })
    assert.ok(files.includes(join('dist', 'retry', 'index.js')))
    const importing = files.filter(file =>
      /\b(from|import) ?\(?['"](@orderly\/|[^'"]*\.ts['"])/.test(readFileSync(join(built.directory, file), 'utf8'))
    )
    assert.deepEqual(importing, [])
  })

  test('its component list has the packages that it installs', () => {
    const { components } = JSON.parse(readFileSync(join(directory, 'kafka.cdx.json'), 'utf8'))
    const names = new Set(components.map(({ purl }: { purl: string }) => decodeURIComponent(purl)))
    assert.ok([...names].some(name => String(name).startsWith('pkg:npm/@platformatic/kafka@')))
  })

  test('only its entries can be imported', async t => {
    const project = await projectWithKafka(t)
    const program = `
      const results = {}
      for (const name of ['', '/testing', '/stage/run-stage.js', '/dist/kafka/index.js'])
        results[name] = await import('@orderly/kafka' + name).then(({ runStage, createInMemoryBroker }) =>
          typeof (runStage ?? createInMemoryBroker), error => error.code)
      console.log(JSON.stringify(results))`
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program], { cwd: project })
    assert.deepEqual(JSON.parse(stdout), {
      '': 'function',
      '/testing': 'function',
      '/stage/run-stage.js': 'ERR_PACKAGE_PATH_NOT_EXPORTED',
      '/dist/kafka/index.js': 'ERR_PACKAGE_PATH_NOT_EXPORTED'
    })
  })

  test('a strict TypeScript project compiles its README, with and without a bundler', async t => {
    const project = await projectWithKafka(t)
    writeFileSync(join(project, 'receipts.ts'), quickStart)
    writeFileSync(
      join(project, 'all.ts'),
      "export * from '@orderly/kafka'\nexport * as t from '@orderly/kafka/testing'\n"
    )
    const typeRoots = [join(projectDirectory, 'node_modules', '@types')]
    for (const [compiler, options] of [
      ['node_modules/typescript', {}],
      ['node_modules/typescript', { module: 'esnext', moduleResolution: 'bundler' }],
      ['packages/client/node_modules/typescript', {}]
    ] as const) {
      // The declarations of dependencies are not checked, only those of the package.
      const base = { strict: true, noEmit: true, skipLibCheck: true, target: 'es2023', module: 'nodenext' }
      const compilerOptions = { ...base, types: ['node'], typeRoots, ...options }
      writeFileSync(
        join(project, 'tsconfig.json'),
        JSON.stringify({ compilerOptions, files: ['receipts.ts', 'all.ts'] })
      )
      const tsc = join(projectDirectory, compiler, 'bin', 'tsc')
      await run(process.execPath, [tsc, '-p', project]).catch(error => assert.fail(`${compiler}: ${error.stdout}`))
    }
  })

  test('its README example runs as pasted on the lowest supported releases of Node', { timeout: 300_000 }, async t => {
    const project = await projectWithKafka(t)
    const { brokers } = await startBroker(t)
    assert.ok(quickStart.includes("'127.0.0.1:9092'"))
    const program = join(project, 'receipts.ts')
    writeFileSync(program, quickStart.replace("'127.0.0.1:9092'", `'${brokers[0]}'`))
    let runs = 0
    const writesReceipt = async (node: string) => {
      const expected = ++runs
      const child = spawn(node, [program], { cwd: project, stdio: ['ignore', 'pipe', 'pipe'] })
      let output = ''
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (output += text))
      const exited = once(child, 'exit')
      try {
        const connection = { brokers, clientID: 'test' }
        const signal = AbortSignal.any([t.signal, AbortSignal.timeout(60_000)])
        const isOver = once(child, 'exit', { signal }).then(() => assert.fail('the example ended too early'))
        const reading = readCommitted(connection, 'receipts', found => found.length >= expected, { signal })
        const receipts = await Promise.race([reading, isOver])
        assert.equal(String(receipts[0]?.value), 'received 1250')
        child.kill('SIGTERM')
        assert.deepEqual(await exited, [0, null], output)
      } catch (error) {
        throw new Error(`the example failed: ${output}`, { cause: error })
      } finally {
        child.kill('SIGKILL')
      }
    }
    await t.test(`Node ${process.versions.node}`, () => writesReceipt(process.execPath))
    for (const version of lowestNodes.filter(version => !version.startsWith('20.'))) {
      await t.test(`Node ${version}`, async t => {
        const node = await installNode(version).catch((error: Error) => {
          if (process.env.CI) throw error
          t.skip(`Node ${version} cannot be installed: ${error.message}`)
        })
        if (node !== undefined) await writesReceipt(node)
      })
    }
  })
})

test('links of a published page lead to the repository, or are text if its address is unknown', () => {
  const page = 'See [a](../../docs/a.md#b), [c](https://c.example) and [d](#d).\n```ts\nx[0](y)\n```\n'
  const base = 'https://example.org/repository/blob/kafka-v1.0.0/packages/kafka/'
  const complete = 'https://example.org/repository/blob/kafka-v1.0.0/docs/a.md#b'
  assert.equal(publishedLinks(page, base), page.replace('../../docs/a.md#b', complete))
  assert.equal(publishedLinks(page, undefined), page.replace('[a](../../docs/a.md#b)', 'a'))
})
