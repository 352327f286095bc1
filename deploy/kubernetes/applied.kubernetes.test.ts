/**
 * Applies the manifests to a real API server, and installs the chart (`npm run test:kubernetes`).
 * Nothing runs there: the server validates, merges, and enforces Pod Security Standards and rights.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { programsOrSkip } from '@orderly/launcher/testing'
import { parseAllDocuments } from 'yaml'
import { callerOf, restartChanged } from '../setup/restart-changed.ts'
import { type APIServer, startAPIServer } from '../testing/api-server.ts'
import { definitions, missing, programs } from '../testing/kubernetes-programs.ts'
import { manifests } from '../testing/manifests.ts'

const run = promisify(execFile)
const chart = join(import.meta.dirname, '..', 'helm', 'orderly')

/**
 * Kinds of Strimzi. Its definitions are in no package that can be had here, so the server stores
 * these resources unchecked; `manifests.unit.test.ts` checks them against Strimzi's schemas.
 */
const strimziKinds = ['Kafka', 'KafkaNodePool', 'KafkaTopic', 'KafkaUser', 'KafkaConnect', 'KafkaConnector']

test('a real API server accepts the manifests and the chart, and applying them again changes nothing', async t => {
  const unbuilt = missing().filter(name => name !== 'helm')
  if (unbuilt.length > 0) {
    t.skip(`not built: ${unbuilt.join(', ')}; run \`npm run build:kubernetes\` (needs Go)`)
    return
  }
  const tools = programsOrSkip(t, 'etcd', 'kubectl')
  if (tools === undefined) return
  const server = await startAPIServer(t, tools, ['orderly:orderly-restart'])
  const { kubectl } = server
  await defineCustomResources(server)
  const apply = () => kubectl('apply', '--server-side', '-k', import.meta.dirname)
  // `kubectl diff` exits with 1 when something differs.
  const diff = () =>
    kubectl('diff', '--server-side', '-k', import.meta.dirname).catch(error => error.stdout || error.stderr)

  await t.test('everything is applied, and the difference is empty', async () => {
    await apply()
    assert.equal(await diff(), '')
    const example = join(import.meta.dirname, 'examples', 'ingress.yaml')
    await kubectl('apply', '--server-side', '-n', 'orderly', '-f', example)
  })

  await t.test('the autoscaler keeps its number of replicas when the manifests are applied again', async () => {
    const scale = ['-n', 'orderly', 'patch', 'statefulset', 'inventory', '--subresource=scale', '--type=merge']
    await kubectl(...scale, '--field-manager=horizontal-pod-autoscaler', '-p', '{"spec":{"replicas":5}}')
    await apply()
    assert.equal(
      await kubectl('-n', 'orderly', 'get', 'statefulset', 'inventory', '-o', 'jsonpath={.spec.replicas}'),
      '5'
    )
    assert.equal(await diff(), '')
  })

  await t.test('the namespace admits a pod of each template, and no other', async () => {
    const templates = manifests.flatMap(manifest => {
      const { spec } = manifest as unknown as { spec?: Templated & { jobTemplate?: { spec: Templated } } }
      const template = spec?.jobTemplate?.spec.template ?? spec?.template
      return template?.spec?.containers === undefined ? [] : [{ name: manifest.metadata.name, template }]
    })
    assert.ok(templates.length >= 9, templates.map(({ name }) => name).join())
    const create = async (name: string, spec: object) => {
      const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'orderly' }, spec }
      const file = join(server.directory, 'pod.json')
      writeFileSync(file, JSON.stringify(pod))
      await kubectl('create', '-f', file)
    }
    for (const { name, template } of templates) await create(`one-of-${name}`, template.spec)
    const [first] = templates
    const privileged = { ...first?.template.spec, hostNetwork: true }
    await assert.rejects(create('privileged', privileged), /violates PodSecurity "restricted:latest"/)
  })

  await t.test('a changed secret restarts its pods once, with the rights of the job alone', async () => {
    const call = callerOf(await server.proxyAs('orderly', 'orderly-restart'), 'orderly:orderly-restart')
    assert.deepEqual(await restartChanged(call, 'orderly'), [])
    const secret = { stringData: { url: 'postgres://orderly_inventory:other@postgres:5432/orderly' } }
    await kubectl('-n', 'orderly', 'patch', 'secret', 'orderly-database-inventory', '-p', JSON.stringify(secret))
    assert.deepEqual(await restartChanged(call, 'orderly'), ['inventory'])
    assert.deepEqual(await restartChanged(call, 'orderly'), [])
    const { status } = await call('/api/v1/namespaces/orderly/secrets/orderly-database-owner')
    assert.equal(status, 403)
    // The manifests have the example password again, and keep the annotation.
    await kubectl('apply', '--server-side', '--force-conflicts', '-k', import.meta.dirname)
    assert.equal(await diff(), '')
    assert.deepEqual(await restartChanged(call, 'orderly'), ['inventory'])
  })

  if (missing().includes('helm')) {
    await t.test('the chart is installed', t => t.skip('not built: helm; run `npm run build:kubernetes` (needs Go)'))
    return
  }
  const helm = (...args: string[]) =>
    run(programs.helm, args, { env: { ...process.env, KUBECONFIG: server.kubeconfig }, maxBuffer: 50_000_000 })
  const values = join(server.directory, 'values.json')
  const defaults = readFileSync(join(chart, 'values.yaml'), 'utf8')
  writeFileSync(values, JSON.stringify(parseAllDocuments(defaults.replaceAll('change-me', 'secret'))[0]?.toJS()))

  await t.test('the chart has no lint, and refuses unknown values and example passwords', async () => {
    await helm('lint', chart, '--strict', '-f', values)
    await assert.rejects(helm('template', chart, '-f', values, '--set', 'kafka.broker=3'), /broker/)
    await assert.rejects(helm('template', chart), /contains the example password/)
  })

  await t.test('with default values the chart contains the same as the manifests', async () => {
    const { stdout } = await helm('template', 'orderly', chart, '-n', 'orderly', '-f', values)
    const rendered = parseAllDocuments(stdout.replaceAll('secret@', 'change-me@')).flatMap(each => each.toJS() ?? [])
    const plain = manifests.filter(({ kind }) => kind !== 'Namespace')
    const normal = (all: readonly object[]) =>
      Object.fromEntries((all as typeof manifests).map(each => [keyOf(each), comparable(each)]))
    assert.deepEqual(normal(rendered), normal(plain))
  })

  await t.test(
    'the chart is installed and upgraded in another namespace, with another image and an ingress',
    async () => {
      await helm('install', 'orderly', chart, '-n', 'second', '--create-namespace', '-f', values)
      const scale = ['-n', 'second', 'patch', 'statefulset', 'order', '--subresource=scale', '--type=merge']
      await kubectl(...scale, '--field-manager=horizontal-pod-autoscaler', '-p', '{"spec":{"replicas":4}}')
      const changes = [
        '--set',
        'images.service=registry.example/orderly/service:0.1.1',
        '--set',
        'ingress.enabled=true'
      ]
      await helm('upgrade', 'orderly', chart, '-n', 'second', '-f', values, ...changes)
      const order = JSON.parse(await kubectl('-n', 'second', 'get', 'statefulset', 'order', '-o', 'json'))
      assert.equal(order.spec.replicas, 4)
      const { containers, initContainers } = order.spec.template.spec
      for (const { image } of [...containers, ...initContainers]) assert.match(image, /^registry\.example/)
      await kubectl('-n', 'second', 'get', 'ingress', 'order')
      const jobs = JSON.parse(await kubectl('-n', 'second', 'get', 'job', '-o', 'json'))
      assert.equal(jobs.items.length, 1, 'each image has its own migration')
      const rules = await kubectl('-n', 'second', 'get', 'prometheusrule', '-o', 'json')
      assert.match(rules, /namespace=\\"second\\"/)
      assert.doesNotMatch(rules, /namespace=\\"orderly\\"/)
      // The data outlives the release.
      await helm('uninstall', 'orderly', '-n', 'second')
      assert.match(await kubectl('-n', 'second', 'get', 'kafkatopic', '-o', 'name'), /orders\.created/)
    }
  )
})

interface Templated {
  readonly template?: { readonly spec: { readonly containers?: readonly object[] } }
}

interface Named {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

const keyOf = ({ kind, metadata }: Named) => `${kind}/${kind === 'Job' ? 'migrate' : metadata.name}`

/** Leaves out what the chart has on purpose: another name of the job, and data that it keeps. */
function comparable(manifest: Named): object {
  const { kind, metadata, ...rest } = structuredClone(manifest) as Named & { stringData?: object }
  const {
    annotations,
    name: _,
    namespace: __,
    ...own
  } = metadata as Named['metadata'] & { annotations?: Record<string, string> }
  const { 'helm.sh/resource-policy': ___, ...others } = annotations ?? {}
  delete rest.stringData
  return { kind, ...rest, metadata: { ...own, ...(Object.keys(others).length > 0 && { annotations: others }) } }
}

async function defineCustomResources({ kubectl, directory }: APIServer): Promise<void> {
  const files = readdirSync(definitions).map(name => join(definitions, name))
  const ofStrimzi = strimziKinds.map(kind => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.toLowerCase()}s.kafka.strimzi.io` },
    spec: {
      ...{ group: 'kafka.strimzi.io', scope: 'Namespaced' },
      names: { kind, plural: `${kind.toLowerCase()}s`, singular: kind.toLowerCase() },
      versions: [
        {
          ...{ name: 'v1', served: true, storage: true },
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
        }
      ]
    }
  }))
  const file = join(directory, 'strimzi.json')
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: ofStrimzi }))
  for (const each of [...files, file]) await kubectl('apply', '--server-side', '-f', each)
  await kubectl('wait', '--for=condition=Established', '--timeout=120s', 'crd', '--all')
}
