import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CallAPI, referencesOf, restartChanged, type Workload } from './restart-changed.ts'

const spec = {
  initContainers: [{ env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'database', key: 'url' } } }] }],
  containers: [{ envFrom: [{ configMapRef: { name: 'settings' } }, { secretRef: { name: 'password' } }] }],
  volumes: [
    { name: 'ca', secret: { secretName: 'ca', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
    { name: 'files', configMap: { name: 'files' } }
  ]
}

test('references are found in variables, environment files and volumes of all containers', () => {
  const found = referencesOf({ metadata: { name: 'x' }, spec: { template: { spec } } })
  assert.deepEqual(
    found.map(({ kind, name }) => `${kind}/${name}`),
    ['configmaps/files', 'configmaps/settings', 'secrets/ca', 'secrets/database', 'secrets/password']
  )
})

test('a workload restarts when a secret that it uses has changed, and not on the first run', async () => {
  const data: Record<string, Record<string, string>> = { ca: { 'ca.crt': 'one' } }
  const workload = { metadata: { name: 'order', annotations: {} }, spec: { template: { spec } } }
  const patches: object[] = []
  const call: CallAPI = async (path, patch) => {
    if (patch !== undefined) {
      patches.push(patch)
      Object.assign(workload.metadata.annotations, (patch as Workload).metadata.annotations)
      return { status: 200, body: {} }
    }
    if (path.includes('/statefulsets?')) return { status: 200, body: { items: [workload] } }
    if (path.includes('/deployments?')) return { status: 200, body: { items: [] } }
    const own = data[path.split('/').at(-1) ?? '']
    return own === undefined ? { status: 404, body: {} } : { status: 200, body: { data: own } }
  }
  assert.deepEqual(await restartChanged(call, 'orderly'), [])
  assert.deepEqual(await restartChanged(call, 'orderly'), [])
  assert.equal(patches.length, 1)
  data.ca = { 'ca.crt': 'two' }
  assert.deepEqual(await restartChanged(call, 'orderly'), ['order'])
  assert.deepEqual(await restartChanged(call, 'orderly'), [])
  const [, restart] = patches as { metadata: object; spec: { template: { metadata: object } } }[]
  assert.deepEqual(restart?.spec.template.metadata, restart?.metadata)
})

test('an answer that is neither data nor "not found" is an error, not a change', async () => {
  const workload = {
    metadata: { name: 'order', annotations: { 'orderly/checksum-config': 'x' } },
    spec: { template: { spec } }
  }
  const call: CallAPI = async path =>
    path.includes('?') ? { status: 200, body: { items: [workload] } } : { status: 403, body: {} }
  await assert.rejects(restartChanged(call, 'orderly'), /configmaps\/files cannot be read: the API server answered 403/)
})
