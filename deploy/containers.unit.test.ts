import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { projectDirectory } from '@orderly/stack'
import { validate } from 'dockerfile-utils'
import { parse } from 'yaml'
import { buildStages, dockerfile } from './testing/containers.ts'
import { dryBuild } from './testing/dry-build.ts'

interface ComposeService {
  readonly image: string
  readonly build?: { readonly target: string }
  readonly profiles?: readonly string[]
  readonly user: string
  readonly read_only: boolean
  readonly cap_drop: readonly string[]
  readonly healthcheck: object
  readonly deploy: { readonly resources: { readonly limits: { readonly memory: string } } }
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly networks?: { readonly orderly?: { readonly aliases?: readonly string[] } }
  readonly volumes?: readonly string[]
}

const here = import.meta.dirname
const read = (file: string) => parse(readFileSync(join(here, file), 'utf8'), { merge: true })
const { services } = read('compose.yaml') as { services: Record<string, ComposeService> }
const run = promisify(execFile)

test('the compose file is what the Compose specification wants', async () => {
  const dclint = join(projectDirectory, 'node_modules', 'dclint', 'bin', 'dclint.cjs')
  // An image that is built has a name as well.
  const flags = ['--quiet', '--disable-rule', 'no-build-and-image']
  await run(process.execPath, [dclint, join(here, 'compose.yaml'), ...flags])
})

test('the Dockerfile has nothing that Docker would refuse or warn of', () => {
  assert.deepEqual(validate(dockerfile), [])
})

test('every container is pinned, not root, read-only, without capabilities, limited and watched', () => {
  for (const [name, service] of Object.entries(services)) {
    assert.match(service.image, /:v?\d+\.\d+/, name)
    assert.match(service.user, /^[1-9]\d*:[1-9]\d*$/, name)
    assert.equal(service.read_only, true, name)
    assert.deepEqual(service.cap_drop, ['ALL'], name)
    assert.ok(service.healthcheck, name)
    assert.ok(service.deploy.resources.limits.memory, name)
  }
  for (const { base, name } of buildStages()) assert.match(base, /:v?\d+\.\d+/, name)
})

test('what is built is a stage of the Dockerfile, and what is mounted is there', () => {
  const stages = buildStages().map(({ name }) => name)
  for (const [name, { build, volumes = [] }] of Object.entries(services)) {
    if (build !== undefined) assert.ok(stages.includes(build.target), `${name}: ${build.target}`)
    for (const path of volumes.map(volume => volume.split(':')[0] as string).filter(path => path.startsWith('.'))) {
      assert.ok(existsSync(join(here, path)), `${name}: ${path}`)
    }
  }
})

test('every target of Prometheus is a container, at the port where it listens', () => {
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

test('the image of the services has all that each of them needs, and no tests', async t => {
  const home = mkdtempSync(join(tmpdir(), 'orderly-image-'))
  t.after(() => rmSync(home, { recursive: true, force: true }))
  const image = await dryBuild('service', home)
  assert.deepEqual(globSync('{contracts,packages,services,deploy}/**/*.test.ts', { cwd: image }), [])
  assert.equal(existsSync(join(image, 'node_modules', 'typescript')), false, 'what only develops is not there')
  const programs = [
    ...new Set(
      Object.values(services).flatMap(({ image, command = [] }) => (image.startsWith('orderly/service') ? command : []))
    )
  ]
  assert.ok(programs.length >= 7, programs.join(', '))
  await Promise.all(
    programs
      .filter(program => program !== 'deploy/setup/connectors.ts')
      .map(program =>
        // It has come as far as its settings, of which it has none.
        assert.rejects(
          run(process.execPath, [program], { cwd: image, env: { ORDERLY_PROFILE: 'prod' }, timeout: 60_000 }),
          /KAFKA_BROKERS/,
          program
        )
      )
  )
})
