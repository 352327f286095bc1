import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { environmentOf } from '../../deploy/testing/compose.ts'
import { projectDirectory } from '../directories.ts'
import { freePort } from '../processes/ports.ts'
import { waitUntil } from '../processes/wait.ts'
import { javaWith } from '../servers.ts'
import { superviseRun } from '../testing/supervised-run.ts'
import { classPath, connectJars, jarsHome, registryJars } from './jars.ts'
import { startJavaServer } from './java-process.ts'
import { formatProperties } from './java-properties.ts'

const run = promisify(execFile)
const deadlineMs = 120_000

/** The secrets of the compose file, as its job generates them, and the processes of a test. */
async function setUp(t: TestContext) {
  const { directories, supervisor } = superviseRun(t, 'test')
  const secrets = join(directories.data, 'secrets')
  const generate = () =>
    run(process.execPath, [join(projectDirectory, 'deploy', 'setup', 'secrets.ts')], {
      env: { ...process.env, ORDERLY_SECRETS: secrets }
    })
  await generate()
  return { directories, supervisor, secrets, generate }
}

interface Question {
  readonly port: number
  readonly path: string
  readonly ca?: Buffer
  readonly password?: string
}

/**
 * Asks over TLS, as a client in the network of the compose file. @returns the status of the answer
 */
function ask(server: string, { port, path, ca, password }: Question): Promise<number> {
  const credentials = password === undefined ? {} : { auth: `orderly:${password}` }
  return new Promise((resolve, reject) => {
    const asking = request(
      {
        host: '127.0.0.1',
        servername: server,
        headers: { host: server },
        port,
        path,
        ...(ca && { ca }),
        ...credentials
      },
      response => {
        response.resume()
        resolve(response.statusCode ?? 0)
      }
    )
    asking.on('error', reject).end()
  })
}

/** Checks that only clients with the certificate and the password are served. */
async function checkAccess(server: string, path: string, port: number, secrets: string) {
  const client = (name: string) => readFileSync(join(secrets, `${server}-client`, name))
  const [ca, password] = [client('ca.crt'), client('password').toString()]
  const isServed = () => ask(server, { port, path, ca, password }).then(status => status === 200)
  await waitUntil(isServed, { what: `${server} serving requests`, deadlineMs })
  assert.equal(await ask(server, { port, path, ca }), 401)
  assert.equal(await ask(server, { port, path, ca, password: 'wrong' }), 401)
  await assert.rejects(ask(server, { port, path, password }), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
}

test('passwords and certificates of the compose file are generated once', async t => {
  const { secrets, generate } = await setUp(t)
  const files = ['order/password', 'registry-server/tls.key', 'registry-client/ca.crt', 'connect-client/password']
  const contents = () => files.map(file => readFileSync(join(secrets, file), 'utf8'))
  const first = contents()
  assert.equal(new Set(first).size, files.length)
  await generate()
  assert.deepEqual(contents(), first)
  assert.equal(statSync(join(secrets, files[0] as string)).mode & 0o222, 0)
  assert.ok(!existsSync(join(secrets, 'registry-client', 'tls.key')))
})

test('an interrupted generation of passwords and certificates is completed by the next one', async t => {
  const { secrets, generate } = await setUp(t)
  const read = (file: string) => readFileSync(join(secrets, file), 'utf8')
  for (const file of [
    'order/password',
    'registry-server/password',
    'registry-client/password',
    'connect-server/tls.p12'
  ]) {
    const other = read('inventory/password')
    rmSync(join(secrets, file))
    rmSync(join(secrets, file.replace(/[^/]+$/, 'password')), { force: true })
    await generate()
    for (const server of ['registry', 'connect']) {
      assert.equal(read(`${server}-server/password`), read(`${server}-client/password`), file)
      assert.equal(read(`${server}-server/tls.crt`), read(`${server}-client/ca.crt`), file)
      assert.ok(existsSync(join(secrets, `${server}-server`, 'tls.p12')), file)
    }
    assert.equal(read('inventory/password'), other, file)
  }
})

test('the registry with the settings of the compose file serves only clients with its certificate and password', async t => {
  const { directories, supervisor, secrets } = await setUp(t)
  const [port, managementPort] = [await freePort(), await freePort()]
  const settings = Object.entries(environmentOf('registry')).map(([name, value]) => [
    name,
    value
      .replaceAll('/run/secrets/orderly', join(secrets, 'registry'))
      .replaceAll('/run/secrets/tls', join(secrets, 'registry-server'))
  ])
  startJavaServer(supervisor, {
    ...{ name: 'registry', java: await javaWith([registryJars], supervisor, () => {}), jars: registryJars },
    cwd: directories.data,
    env: {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('OTEL_'))),
      ...Object.fromEntries(settings),
      ...{ QUARKUS_HTTP_SSL_PORT: String(port), QUARKUS_MANAGEMENT_PORT: String(managementPort) },
      ...{ QUARKUS_HTTP_HOST: '127.0.0.1', QUARKUS_MANAGEMENT_HOST: '127.0.0.1' },
      ...{ APICURIO_STORAGE_SQL_KIND: 'h2', APICURIO_DATASOURCE_URL: 'jdbc:h2:mem:schemas' }
    },
    args: ['-Xmx160m', '-jar', join(jarsHome(registryJars), 'quarkus-run.jar')]
  })
  await checkAccess('registry', '/apis/ccompat/v7/subjects', port, secrets)
  assert.equal((await fetch(`http://127.0.0.1:${managementPort}/health/ready`)).status, 200)
})

test('Kafka Connect with the settings of its container serves only clients with its certificate and password', async t => {
  const { directories, supervisor, secrets } = await setUp(t)
  const port = await freePort()
  const ofContainer = (file: string) =>
    readFileSync(join(projectDirectory, 'deploy', 'connect', file), 'utf8').replaceAll(
      '/run/secrets/rest',
      join(secrets, 'connect-server')
    )
  const inDirectory = (name: string, text: string) => {
    writeFileSync(join(directories.data, name), text)
    return join(directories.data, name)
  }
  const own = {
    'bootstrap.servers': integrationEnvironment().kafkaBrokers.join(','),
    'plugin.path': directories.data,
    listeners: `https://127.0.0.1:${port}`,
    ...Object.fromEntries(
      ['group.id', 'config.storage.topic', 'offset.storage.topic', 'status.storage.topic'].map(name => [
        name,
        `compose-${name}-${port}`
      ])
    )
  }
  const properties = `${ofContainer('worker.properties')}\n${formatProperties(own)}`
  startJavaServer(supervisor, {
    ...{ name: 'connect', java: await javaWith([connectJars], supervisor, () => {}), jars: connectJars },
    cwd: directories.data,
    args: [
      '-Xmx256m',
      `-Djava.security.auth.login.config=${inDirectory('jaas.conf', ofContainer('jaas.conf'))}`,
      ...['-cp', await classPath(connectJars), 'org.apache.kafka.connect.cli.ConnectDistributed'],
      inDirectory('worker.properties', properties)
    ]
  })
  await checkAccess('connect', '/health', port, secrets)
})
