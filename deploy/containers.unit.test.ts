import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { brokerRetention } from '@orderly/contracts'
import { projectDirectory } from '@orderly/launcher'
import { parseConfig } from '@orderly/service-kit'
import { validate } from 'dockerfile-utils'
import type { TObject, TProperties } from 'typebox'
import { parse } from 'yaml'
import { securedServers } from './postgres/secret-folders.ts'
import { environmentOf, services } from './testing/compose.ts'
import { buildIgnores, buildStage, buildStages, dockerfile, entrypointOf } from './testing/containers.ts'
import { dryBuild } from './testing/dry-build.ts'
import { type StatefulSet, settingsOf } from './testing/kubernetes.ts'
import { manifestsOf } from './testing/manifests.ts'
import { settingsOfServices } from './testing/service-settings.ts'

const here = import.meta.dirname
const read = (file: string) => parse(readFileSync(join(here, file), 'utf8'))
const run = promisify(execFile)

test('the compose file conforms to the Compose specification', async () => {
  const dclint = join(projectDirectory, 'node_modules', 'dclint', 'bin', 'dclint.cjs')
  // A built image also has a name.
  const flags = ['--quiet', '--disable-rule', 'no-build-and-image']
  await run(process.execPath, [dclint, join(here, 'compose.yaml'), ...flags])
})

test('the Dockerfile has no errors and no warnings', () => {
  assert.deepEqual(validate(dockerfile), [])
})

test('every container is pinned, non-root, read-only, without capabilities, with memory and log limits and a health check', () => {
  for (const [name, service] of Object.entries(services)) {
    assert.match(service.image, /:v?\d+\.\d+/, name)
    assert.match(service.user, /^[1-9]\d*:[1-9]\d*$/, name)
    assert.equal(service.read_only, true, name)
    assert.deepEqual(service.cap_drop, ['ALL'], name)
    assert.ok(service.healthcheck, name)
    assert.ok(service.deploy.resources.limits.memory, name)
    assert.deepEqual(service.logging.options, { 'max-size': '10m', 'max-file': '3' }, name)
  }
  for (const { name } of buildStages()) assert.match(buildStage(name).base, /:v?\d+\.\d+/, name)
})

test('every container that keeps running has a health check with the limits of a slow machine', () => {
  const permanent = Object.entries(services).filter(([, { restart }]) => restart === 'unless-stopped')
  assert.ok(permanent.length >= 14, permanent.map(([name]) => name).join())
  for (const [name, { healthcheck }] of permanent) {
    assert.equal(healthcheck.disable, undefined, name)
    assert.equal(healthcheck.start_period, '240s', name)
    assert.ok(Number.parseInt(healthcheck.timeout ?? '', 10) >= 10, name)
  }
  // By default the registry is unready for five minutes after two slow answers.
  const registry = manifestsOf('Deployment').find(({ metadata }) => metadata.name === 'registry')
  for (const setting of ['TIMEOUT_SECONDS', 'STATUS_RESET_WINDOW_DURATION_SECONDS']) {
    const variable = `APICURIO_METRICS_RESPONSE_TIMEOUT_READINESS_CHECK_${setting}`
    const value = services.registry?.environment?.[variable]
    assert.ok(value, variable)
    assert.ok(JSON.stringify(registry).includes(`{"name":"${variable}","value":"${value}"}`), variable)
  }
})

test('every build target is a stage of the Dockerfile, and every mounted path exists', () => {
  const stages = buildStages().map(({ name }) => name)
  for (const [name, { build, volumes = [] }] of Object.entries(services)) {
    if (build !== undefined) assert.ok(stages.includes(build.target), `${name}: ${build.target}`)
    for (const path of volumes.map(volume => volume.split(':')[0] as string).filter(path => path.startsWith('.'))) {
      assert.ok(existsSync(join(here, path)), `${name}: ${path}`)
    }
  }
})

test('brokers keep group offsets and producer ids as long as the retention table requires', () => {
  for (const name of ['kafka', 'kafka-with-zookeeper']) {
    for (const [setting, value] of Object.entries(brokerRetention)) {
      const variable = `KAFKA_${setting.replaceAll('.', '_').toUpperCase()}`
      assert.equal(services[name]?.environment?.[variable], String(value), `${name}: ${variable}`)
    }
  }
})

test('the metrics agent of the Java images has the version in its pom.xml', () => {
  const pom = readFileSync(join(projectDirectory, 'launcher', 'jars', 'jmx-agent', 'pom.xml'), 'utf8')
  const [, fetched] = /<artifactId>jmx_prometheus_javaagent<\/artifactId>\s*<version>(.+)<\/version>/.exec(pom) ?? []
  const started = [...dockerfile.matchAll(/jmx_prometheus_javaagent-([^/]+)\.jar/g)].map(([, version]) => version)
  assert.deepEqual(new Set(started), new Set([fetched]))
})

test('a Java server that SIGTERM stops ends with code 0, and any other end keeps its code', async () => {
  const script = join(here, 'setup', 'java-server.sh')
  const codeOf = async (server: string, signal?: NodeJS.Signals) => {
    const child = spawn('/bin/sh', [script, '/bin/sh', '-c', server], { stdio: ['ignore', 'pipe', 'inherit'] })
    const closed = once(child, 'close')
    await once(child.stdout, 'data')
    if (signal !== undefined) child.kill(signal)
    return (await closed)[0]
  }
  // As Java does, this server needs some time to stop.
  const java = "trap 'sleep 0.1; exit 143' TERM; echo up; while :; do sleep 0.01; done"
  assert.equal(await codeOf(java, 'SIGTERM'), 0)
  assert.equal(await codeOf("trap 'exit 1' TERM; echo up; while :; do sleep 0.01; done", 'SIGTERM'), 1)
  assert.equal(await codeOf('echo up; exit 3'), 3)
  assert.equal(await codeOf('echo up; kill -KILL $$'), 137)
  assert.equal(await codeOf('echo up; exit 143'), 143)
})

test('every Prometheus target is a container and the port it listens on', () => {
  const targets = read('prometheus/targets.yml') as { labels: { job: string }; targets: string[] }[]
  const ofOurs = (name: string) => services[name]?.environment?.HTTP_PORT
  for (const { labels, targets: addresses } of targets) {
    for (const [host = '', port] of addresses.map(address => address.split(':'))) {
      if (host === 'localhost') continue
      const aliases = Object.values(services).flatMap(({ networks }) => networks?.orderly?.aliases ?? [])
      assert.ok(services[host] !== undefined || aliases.includes(host), `${labels.job}: there is no ${host}`)
      const own = ofOurs(host)
      if (own !== undefined) assert.equal(own, port, labels.job)
    }
  }
  const scraped = targets.map(({ labels }) => labels.job)
  assert.deepEqual(
    Object.keys(services).filter(name => ofOurs(name) && !scraped.includes(name)),
    []
  )
})

test('the settings of containers and pods are known to their services and valid together', t => {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-secrets-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const secretFile = join(directory, 'database-url')
  writeFileSync(secretFile, 'postgres://orderly_order:secret@postgres:5432/orderly\n')
  const known = new Set(Object.values(settingsOfServices).flatMap(({ properties }) => Object.keys(properties)))
  for (const [name, schema] of Object.entries(settingsOfServices)) {
    const manifest = manifestsOf<StatefulSet>('StatefulSet').find(({ metadata }) => metadata.name === name)
    assert.ok(manifest, name)
    const ofPod = settingsOf(manifest, { password: () => 'secret' })
    const ofContainer = environmentOf(name)
    const given = Object.keys({ ...ofPod, ...ofContainer }).map(setting =>
      setting.replace(/_(URL|PASSWORD)_FILE$/, '_$1')
    )
    const unknown = given.filter(setting => !known.has(setting) && !setting.startsWith('NODE_'))
    assert.deepEqual(unknown, [], name)
    // Paths that exist on the machine of the test.
    const files = {
      KAFKA_TLS_CA_FILE: import.meta.filename,
      DATABASE_URL_FILE: secretFile,
      SCHEMA_REGISTRY_PASSWORD_FILE: secretFile
    }
    for (const environment of [ofPod, ofContainer]) {
      const own = Object.entries(environment).map(([setting, value]) => [
        setting,
        files[setting as keyof typeof files] ?? value
      ])
      parseConfig(schema as TObject<TProperties>, Object.fromEntries(own))
    }
  }
})

test('the image has only what services need at run time: no local settings, secrets or manifests', async t => {
  const isIgnored = buildIgnores()
  for (const path of [
    ...['.env', 'deploy/.env', 'services/order/.env.local', 'deploy/kubernetes/settings.yaml', 'deploy/secret.key'],
    ...['deploy/compose.yaml', 'contracts/ca.pem', 'services/order/node_modules/x/index.js']
  ]) {
    assert.equal(isIgnored(path), true, path)
  }
  for (const path of ['.npmrc', 'package.json', 'services/order/main.ts', 'launcher/jars/kafka/jars.lock']) {
    assert.equal(isIgnored(path), false, path)
  }
  const home = mkdtempSync(join(tmpdir(), 'orderly-image-'))
  t.after(() => rmSync(home, { recursive: true, force: true }))
  const { directory: image } = await dryBuild('service', home)
  const installed = [...dockerfile.matchAll(/--workspace=(\S+)/g)].map(([, workspace = '']) => workspace)
  const folders = globSync('{.,deploy,packages}/*', { cwd: image }).filter(path => !path.endsWith('.json'))
  assert.deepEqual(folders.toSorted(), [
    ...['contracts', 'deploy', 'deploy/connect', 'deploy/kafka', 'deploy/postgres', 'deploy/setup', 'node_modules'],
    ...['packages', ...installed.filter(name => name.startsWith('packages/')).toSorted()],
    ...['sbom', 'services']
  ])
})

test('every delivered image has OCI labels and an SBOM', () => {
  const delivered = buildStages().filter(({ name }) => !['dependencies', 'jars'].includes(name))
  for (const { name, instructions } of delivered.map(({ name }) => buildStage(name))) {
    const label = instructions.findLast(({ name }) => name === 'LABEL')?.text ?? ''
    for (const key of ['title', 'description', 'licenses', 'version', 'revision']) {
      assert.match(label, new RegExp(`org\\.opencontainers\\.image\\.${key}=`), name)
    }
    assert.ok(
      instructions.some(({ name, text }) => name === 'COPY' && text.includes('.cdx.json')),
      name
    )
  }
})

/** Programs that run without any required setting. */
const withoutSettings = ['deploy/setup/connectors.ts', 'deploy/setup/secrets.ts', 'deploy/setup/roles.ts']

/** Folders of passwords whose name is not that of their container. */
const passwordUsers: Readonly<Record<string, string>> = {
  ...{ postgres: 'superuser', migrate: 'owner' },
  ...{ 'api-keys': 'operator', 'first-keys': 'operator', toolbox: 'operator' }
}

/** Folders of secrets that a container has besides those of its database role. */
const secretsOfServers: Readonly<Record<string, readonly string[]>> = {
  registry: ['registry-server'],
  connect: ['connect-server', 'registry-client'],
  connectors: ['connect-client'],
  ...Object.fromEntries(
    ['order', 'inventory', 'notification', 'aggregator', 'toolbox'].map(name => [name, ['registry-client']])
  )
}

test('passwords of the compose file are generated once, without defaults, and each container mounts only its own', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-secrets-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const generate = (...args: string[]) =>
    run(process.execPath, ['deploy/setup/secrets.ts', ...args], {
      cwd: projectDirectory,
      env: { ORDERLY_SECRETS: directory }
    })
  const passwords = () =>
    globSync('*/password', { cwd: directory }).map(file => readFileSync(join(directory, file), 'utf8'))
  await generate('folders')
  assert.deepEqual(passwords(), [])
  await generate()
  const generated = passwords()
  await generate()
  assert.deepEqual(passwords(), generated)
  // A server and its clients share a password.
  assert.equal(new Set(generated).size, generated.length - securedServers.length)
  assert.ok(generated.every(password => password.length >= 43))
  const url = readFileSync(join(directory, 'inventory', 'database-url'), 'utf8')
  assert.match(url, /^postgres:\/\/orderly_inventory:[\w-]{43}@postgres:5432\/orderly$/)

  const folders = new Set(globSync('*', { cwd: directory }))
  const mounted = (name: string) =>
    (services[name]?.volumes ?? []).flatMap(volume => /^secret-([\w-]+):/.exec(volume)?.[1] ?? [])
  assert.deepEqual(new Set(mounted('secrets')), folders)
  assert.deepEqual(new Set(mounted('roles')), folders)
  for (const name of Object.keys(services).filter(name => !['secrets', 'roles'].includes(name))) {
    const own = passwordUsers[name] ?? name
    const ofRole = folders.has(own) && name !== 'monitor' ? [own] : []
    assert.deepEqual(mounted(name), [...ofRole, ...(secretsOfServers[name] ?? [])], name)
  }
  assert.doesNotMatch(readFileSync(join(here, 'compose.yaml'), 'utf8'), /\w*PASSWORD\w*:-/)
})

test('the service image has everything that each service needs, and no tests; the toolbox adds the command line', async t => {
  const home = mkdtempSync(join(tmpdir(), 'orderly-image-'))
  t.after(() => rmSync(home, { recursive: true, force: true }))
  const { directory: image, environment } = await dryBuild('toolbox', home)
  assert.deepEqual(globSync('{contracts,packages,services,deploy}/**/*.test.ts', { cwd: image }), [])
  assert.equal(existsSync(join(image, 'node_modules', 'typescript')), false, 'no development dependencies')
  const programs = [
    ...new Set(
      Object.values(services).flatMap(({ image, command = [] }) => (image.startsWith('orderly/service') ? command : []))
    )
  ]
  assert.ok(programs.length >= 7, programs.join(', '))
  const [, ...flags] = entrypointOf('service')
  const { ORDERLY_PROFILE: profile, NODE_COMPILE_CACHE: cache = '' } = environment
  assert.equal(profile, 'prod', 'keys are required unless a profile is set')
  const cached = () => globSync('*/*', { cwd: cache }).map(file => [file, statSync(join(cache, file)).mtimeMs])
  const cachedByBuild = cached()
  await Promise.all(
    programs
      .filter(program => !withoutSettings.includes(program))
      .map(program => {
        const isService = program.startsWith('services/')
        const env = { ORDERLY_PROFILE: profile, ...(isService && { NODE_COMPILE_CACHE: cache }) }
        // The program reached the check of its settings, all of which are missing.
        return assert.rejects(
          run(process.execPath, [...flags, program], { cwd: image, env, timeout: 60_000 }),
          program === 'deploy/setup/migrate.ts' ? /DATABASE_OWNER_URL/ : /KAFKA_BROKERS/,
          program
        )
      })
  )
  assert.ok(cachedByBuild.length > 1_000, `${cachedByBuild.length} modules`)
  assert.deepEqual(
    cached(),
    cachedByBuild,
    'the cache has every module of a service, for the Node flags of the service'
  )
  await checkToolbox(t, home, { ...environment, ORDERLY_HOME: image })
})

/** Runs a command of the toolbox image, and waits for commands as its container does. */
async function checkToolbox(t: TestContext, home: string, environment: Readonly<Record<string, string>>) {
  const [program = '', ...args] = entrypointOf('toolbox')
  const orderly = join(home, 'toolbox', 'usr', 'local', 'bin', program)
  const env = { ...environment, PATH: `${dirname(process.execPath)}:${process.env.PATH}` }
  const { stdout } = await run('sh', [orderly, '--help'], { env })
  assert.match(stdout, /doctor/)
  // The command reached the check of its settings, all of which are missing.
  await assert.rejects(run('sh', [orderly, 'topics'], { env, timeout: 60_000 }), /KAFKA_BROKERS/)
  const waiting = spawn('sh', [orderly, ...args], { env })
  t.after(() => waiting.kill('SIGKILL'))
  await once(waiting.stdout, 'data')
  waiting.kill('SIGTERM')
  assert.deepEqual(await once(waiting, 'exit'), [0, null])
}

test('in production the compose file requires API keys, and a job creates the first ones', t => {
  const directory = mkdtempSync(join(tmpdir(), 'orderly-secrets-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const secretFile = join(directory, 'database-url')
  const job = services['first-keys']
  assert.deepEqual(job?.profiles, ['prod'])
  assert.equal(job?.environment?.DATABASE_URL_FILE, '/run/secrets/orderly/database-url')
  for (const [name, schema] of Object.entries(settingsOfServices)) {
    if (!('API_KEYS' in schema.properties)) continue
    writeFileSync(secretFile, `postgres://orderly_${name}:secret@postgres:5432/orderly\n`)
    const files = {
      DATABASE_URL_FILE: secretFile,
      SCHEMA_REGISTRY_PASSWORD_FILE: secretFile
    }
    const own = Object.entries(environmentOf(name)).map(([setting, value]) => [
      setting,
      files[setting as keyof typeof files] ?? value
    ])
    assert.match(services[name]?.environment?.ORDERLY_PROFILE ?? '', /^\$\{ORDERLY_PROFILE:-dev\}$/, name)
    const given = { ...Object.fromEntries(own), ORDERLY_PROFILE: 'prod' }
    const config = parseConfig(schema as TObject<TProperties>, given) as { API_KEYS: string }
    assert.equal(config.API_KEYS, 'required', name)
    assert.ok(!('SEED_STOCK_FILE' in given), 'the inventory refuses the sample stock')
  }
})
