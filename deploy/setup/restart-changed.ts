/**
 * Restarts the workloads of a namespace whose Secrets or ConfigMaps have changed, one pod after the
 * other. Services read settings, passwords and certificates once, at their start.
 *
 * The first run stores a checksum in an annotation of each workload. A later run that computes
 * another one writes it into the pod template too, which starts a rolling update. The manifests do
 * not contain these annotations, so that applying them again changes nothing.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'

export interface Workload {
  readonly kind?: string
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> }
  readonly spec: { readonly template: { readonly spec: object } }
}

interface Reference {
  readonly kind: 'secrets' | 'configmaps'
  readonly name: string
}

const annotation = 'orderly/checksum-config'

/** Returns the Secrets and ConfigMaps that the pods of a workload mount or have in their environment. */
export function referencesOf({ spec }: Workload): Reference[] {
  const names = new Map<string, Reference>()
  JSON.stringify(spec.template.spec, (key, value) => {
    const kind = /^secret(KeyRef|Ref)?$/.test(key) ? 'secrets' : /^configMap(KeyRef|Ref)?$/.test(key) && 'configmaps'
    const name = value?.secretName ?? value?.name
    if (kind && typeof name === 'string') names.set(`${kind}/${name}`, { kind, name })
    return value
  })
  return [...names.values()].toSorted((a, b) => (`${a.kind}/${a.name}` < `${b.kind}/${b.name}` ? -1 : 1))
}

/** Calls the API server: a path with a query, and a merge patch. */
export type CallAPI = (path: string, patch?: object) => Promise<{ status: number; body: unknown }>

/** Returns the names of the workloads that it restarted. */
export async function restartChanged(call: CallAPI, namespace: string): Promise<string[]> {
  const restarted: string[] = []
  for (const resource of ['statefulsets', 'deployments']) {
    const all = `/apis/apps/v1/namespaces/${namespace}/${resource}`
    const { items } = await get<{ items: Workload[] }>(call, `${all}?labelSelector=app.kubernetes.io/part-of=orderly`)
    for (const workload of items) {
      const { name, annotations } = workload.metadata
      const checksum = await checksumOf(call, namespace, referencesOf(workload))
      const previous = annotations?.[annotation]
      if (checksum === previous) continue
      const marked = { metadata: { annotations: { [annotation]: checksum } } }
      const isChange = previous !== undefined
      const patch = isChange ? { ...marked, spec: { template: marked } } : marked
      await get(call, `${all}/${name}?fieldManager=orderly-restart`, patch)
      if (isChange) restarted.push(name)
    }
  }
  return restarted
}

async function checksumOf(call: CallAPI, namespace: string, references: readonly Reference[]): Promise<string> {
  const hash = createHash('sha256')
  for (const { kind, name } of references) {
    const { status, body } = await call(`/api/v1/namespaces/${namespace}/${kind}/${name}`)
    if (status !== 200 && status !== 404)
      throw new Error(`${kind}/${name} cannot be read: the API server answered ${status}`)
    const data = (body as { data?: Record<string, string> }).data ?? {}
    hash.update(JSON.stringify([kind, name, Object.entries(data).toSorted(([a], [b]) => (a < b ? -1 : 1))]))
  }
  return hash.digest('hex')
}

async function get<Body>(call: CallAPI, path: string, patch?: object): Promise<Body> {
  const { status, body } = await call(path, patch)
  if (status !== 200) throw new Error(`${path}: the API server answered ${status}: ${JSON.stringify(body)}`)
  return body as Body
}

/** Calls an API server with a bearer token. */
export function callerOf(server: string, token: string): CallAPI {
  return async (path, patch) => {
    const answer = await fetch(server + path, {
      method: patch === undefined ? 'GET' : 'PATCH',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/merge-patch+json' },
      ...(patch !== undefined && { body: JSON.stringify(patch) }),
      signal: AbortSignal.timeout(20_000)
    })
    return { status: answer.status, body: await answer.json() }
  }
}

if (import.meta.main) {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port, POD_NAMESPACE: namespace = '' } = process.env
  try {
    const token = await readFile('/var/run/secrets/kubernetes.io/serviceaccount/token', 'utf8')
    for (const name of await restartChanged(callerOf(`https://${host}:${port}`, token), namespace)) {
      process.stdout.write(`${JSON.stringify({ event: 'workload_restarted', name })}\n`)
    }
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exitCode = 1
  }
}
