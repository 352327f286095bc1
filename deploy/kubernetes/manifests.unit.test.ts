import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { test } from 'node:test'
import { grants, provisionedTopics } from '../kafka/principals.ts'
import { grantsOfUsers } from '../testing/kubernetes.ts'
import { manifests, manifestsOf, resources } from '../testing/manifests.ts'
import { validateManifest } from '../testing/validate-manifest.ts'

const named = (kind: string) => manifestsOf(kind).map(({ metadata }) => metadata.name)

test('every manifest conforms to the schema of its kind', async () => {
  for (const manifest of manifests) {
    await assert.doesNotReject(validateManifest(manifest), `${manifest.kind} ${manifest.metadata.name}`)
  }
})

test('an invalid manifest is rejected', async () => {
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'order' },
    spec: { ports: [{ port: 'http' }] }
  }
  await assert.rejects(validateManifest(service), /ports\/0\/port must be integer/)
  const connector = { apiVersion: 'kafka.strimzi.io/v1', kind: 'KafkaConnector', spec: { tasksMax: 'one' } }
  await assert.rejects(validateManifest(connector), /tasksMax must be integer/)
})

test('every generated file is among the resources, and no resource occurs twice', () => {
  const generated = globSync('generated/*.yaml', { cwd: import.meta.dirname })
  assert.deepEqual(
    generated.filter(file => !resources.includes(file)),
    []
  )
  const names = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`)
  assert.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    []
  )
})

test('every referenced secret, configuration and user exists', () => {
  const text = JSON.stringify(manifests)
  const asked = (pattern: RegExp) => new Set([...text.matchAll(pattern)].map(([, name]) => name as string))
  // Strimzi creates a secret with each user's password, and one with the cluster's certificate.
  const secrets = new Set([...named('Secret'), ...named('KafkaUser'), 'orderly-cluster-ca-cert', 'registry-tls'])
  const wanted = asked(/"(?:secretKeyRef|secretRef|passwordSecret)":\{"(?:name|secretName)":"([^"]+)"/g)
  assert.ok(wanted.size > 5)
  assert.deepEqual(
    [...wanted].filter(name => !secrets.has(name)),
    []
  )
  const configurations = asked(/"(?:configMapRef|configMapKeyRef)":\{"name":"([^"]+)"/g)
  assert.deepEqual(
    [...configurations].filter(name => !named('ConfigMap').includes(name)),
    []
  )
  assert.deepEqual(new Set(named('KafkaTopic')), new Set(provisionedTopics))
})

test('the users of the manifests have the grants of acls.json, without the provisioner', () => {
  assert.deepEqual(
    grantsOfUsers(),
    grants.filter(({ principal }) => principal !== 'provisioner')
  )
})

test('every job name in the rules is scraped under that name', () => {
  const text = JSON.stringify(manifests)
  const jobs = [...text.matchAll(/up\{namespace=\\"orderly\\",job=~?\\"([^"\\]+)\\"/g)].flatMap(([, names]) =>
    (names as string).split('|')
  )
  assert.ok(jobs.includes('kafka') && jobs.includes('monitor'))
  const renamed = [...text.matchAll(/\{"targetLabel":"job","replacement":"([^"]+)"\}/g)].map(([, job]) => job)
  assert.deepEqual(
    jobs.filter(job => !renamed.includes(job) && !named('StatefulSet').includes(job)),
    []
  )
})

test('no pod of Orderly accepts or opens a connection that a policy does not list', () => {
  const policies = manifestsOf<Policy>('NetworkPolicy')
  const everything = policies.find(({ metadata }) => metadata.name === 'orderly-default')
  assert.deepEqual(everything?.spec, {
    podSelector: { matchLabels: { 'app.kubernetes.io/part-of': 'orderly' } },
    policyTypes: ['Ingress', 'Egress']
  })
  const selected = policies.map(({ spec }) => spec.podSelector.matchLabels['app.kubernetes.io/name'])
  for (const name of [...named('StatefulSet'), 'registry']) assert.ok(selected.includes(name), name)
  const open = policies.filter(({ spec }) => spec.ingress?.some(({ from = [] }) => from.length === 0))
  assert.deepEqual(open, [])
  const registry = policies.find(({ metadata }) => metadata.name === 'registry')
  assert.ok(registry?.spec.ingress?.every(({ from = [] }) => from.every(own => own.podSelector !== undefined)))
})

interface Policy {
  readonly spec: {
    readonly podSelector: { readonly matchLabels: Readonly<Record<string, string>> }
    readonly ingress?: readonly { readonly from?: readonly { readonly podSelector?: object }[] }[]
  }
}

test('the registry requires TLS and credentials', () => {
  const text = JSON.stringify(
    manifests.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'registry')
  )
  assert.match(text, /"name":"QUARKUS_HTTP_INSECURE_REQUESTS","value":"disabled"/)
  assert.match(text, /"name":"QUARKUS_HTTP_AUTH_PERMISSION_API_PATHS","value":"\/\*"/)
  assert.match(text, /"name":"QUARKUS_HTTP_AUTH_PERMISSION_API_POLICY","value":"authenticated"/)
  assert.doesNotMatch(JSON.stringify(manifests), /http:\/\/registry/)
})

test('the autoscaler owns the number of instances of each service that it scales, and removes them slowly', () => {
  const scaled = manifestsOf<Scaled>('ScaledObject')
  assert.deepEqual(
    scaled.map(({ metadata }) => metadata.name),
    ['order', 'inventory', 'notification', 'aggregator']
  )
  for (const { metadata, spec } of scaled) {
    const set = manifestsOf<Workload>('StatefulSet').find(each => each.metadata.name === metadata.name)
    assert.equal(set?.spec.replicas, undefined, metadata.name)
    const { scaleDown } = spec.advanced.horizontalPodAutoscalerConfig.behavior
    assert.ok(scaleDown.stabilizationWindowSeconds >= 600, metadata.name)
    assert.deepEqual(
      scaleDown.policies.map(({ value }) => value),
      [1]
    )
  }
  const types = (name: string) =>
    scaled.find(({ metadata }) => metadata.name === name)?.spec.triggers.map(({ type }) => type)
  assert.deepEqual(types('order'), ['cpu'])
  assert.deepEqual(types('notification'), ['kafka', 'postgresql'])
  const authentications = named('TriggerAuthentication')
  const used = scaled.flatMap(({ spec }) => spec.triggers.flatMap(({ authenticationRef }) => authenticationRef ?? []))
  assert.ok(used.every(({ name }) => authentications.includes(name)))
})

interface Scaled {
  readonly spec: {
    readonly triggers: readonly { readonly type: string; readonly authenticationRef?: { readonly name: string } }[]
    readonly advanced: {
      readonly horizontalPodAutoscalerConfig: {
        readonly behavior: {
          readonly scaleDown: {
            readonly stabilizationWindowSeconds: number
            readonly policies: readonly { readonly value: number }[]
          }
        }
      }
    }
  }
}

test('pods are spread, may be evicted one at a time, and wait for migrations', () => {
  const spreads = [...manifestsOf<Workload>('StatefulSet'), ...manifestsOf<Workload>('Deployment')]
  const budgets = named('PodDisruptionBudget')
  for (const { metadata, spec } of spreads.filter(({ metadata }) => metadata.name !== 'orderly-toolbox')) {
    const { topologySpreadConstraints = [], initContainers = [] } = spec.template.spec
    const keys = topologySpreadConstraints.map(({ topologyKey }) => topologyKey)
    assert.deepEqual(keys, ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'], metadata.name)
    assert.ok(budgets.includes(metadata.name), metadata.name)
    const waits = initContainers.map(({ args }) => args.join(' '))
    const isWithDatabase = JSON.stringify(spec).includes('"name":"DATABASE_URL"')
    assert.deepEqual(
      waits,
      isWithDatabase ? [`deploy/setup/wait-for-migration.ts ${metadata.name}`] : [],
      metadata.name
    )
  }
})

interface Workload {
  readonly spec: {
    readonly replicas?: number
    readonly template: {
      readonly spec: {
        readonly topologySpreadConstraints?: readonly { readonly topologyKey: string }[]
        readonly initContainers?: readonly { readonly args: readonly string[] }[]
      }
    }
  }
}

test('each program has its own database role and its own Kafka user', () => {
  const urls = manifestsOf<{ stringData: Record<string, string> }>('Secret')
    .filter(({ metadata }) => metadata.name.startsWith('orderly-database-'))
    .map(({ metadata, stringData }) => [metadata.name, new URL(stringData.url ?? '').username])
  for (const [secret, role] of urls) assert.equal(secret, role?.replace('orderly_', 'orderly-database-'))
  for (const { metadata, spec } of manifestsOf<Workload>('StatefulSet')) {
    const used = [...JSON.stringify(spec).matchAll(/orderly-database-(\w+)/g)].map(([, role]) => role)
    assert.ok(
      used.every(role => role === metadata.name),
      metadata.name
    )
  }
})
