import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { freePort, loopback, waitUntil } from '@orderly/launcher'
import { superviseRun } from '@orderly/launcher/testing'
import { programs } from './kubernetes-programs.ts'

const run = promisify(execFile)

export interface APIServer {
  readonly directory: string
  /** Configuration of `kubectl` and `helm` for the administrator. */
  readonly kubeconfig: string
  /** Runs `kubectl` as the administrator. */
  kubectl(...args: string[]): Promise<string>
  /** Starts a proxy that authenticates as a service account, and returns its address. */
  proxyAs(namespace: string, serviceAccount: string): Promise<string>
}

/**
 * Starts a private API server with its own etcd. It validates, sets defaults, merges server-side and
 * enforces Pod Security Standards and rights. Without a kubelet and controllers, nothing runs.
 *
 * @param serviceAccounts names (`namespace:name`) that may log in
 */
export async function startAPIServer(
  t: TestContext,
  tools: { readonly etcd: string; readonly kubectl: string },
  serviceAccounts: readonly string[]
): Promise<APIServer> {
  const { directories, supervisor } = superviseRun(t, 'test')
  const directory = directories.data
  mkdirSync(directory, { recursive: true })
  const [etcdPort, peerPort, port] = await Promise.all([freePort(), freePort(), freePort()])
  const at = (each: number) => `http://${loopback}:${each}`
  supervisor.start({
    name: 'etcd',
    command: tools.etcd,
    args: [
      ...[`--data-dir=${join(directory, 'etcd')}`, '--unsafe-no-fsync'],
      ...[`--listen-client-urls=${at(etcdPort)}`, `--advertise-client-urls=${at(etcdPort)}`],
      ...[`--listen-peer-urls=${at(peerPort)}`, `--initial-advertise-peer-urls=${at(peerPort)}`],
      `--initial-cluster=default=${at(peerPort)}`
    ]
  })
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text, { mode: 0o600 })
    return join(directory, name)
  }
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const key = file('service-accounts.key', privateKey.export({ type: 'pkcs8', format: 'pem' }) as string)
  const tokens = [
    'admin,admin,admin,system:masters',
    ...serviceAccounts.map(name => `${name},system:serviceaccount:${name},${name}`)
  ]
  supervisor.start({
    name: 'kube-apiserver',
    command: programs.apiServer,
    args: [
      ...[`--etcd-servers=${at(etcdPort)}`, `--bind-address=${loopback}`, `--secure-port=${port}`],
      ...[`--cert-dir=${join(directory, 'certificates')}`, '--authorization-mode=RBAC'],
      ...[
        `--token-auth-file=${file('tokens.csv', `${tokens.join('\n')}\n`)}`,
        '--service-cluster-ip-range=10.96.0.0/16'
      ],
      ...[`--service-account-key-file=${key}`, `--service-account-signing-key-file=${key}`],
      ...['--service-account-issuer=https://kubernetes.default.svc', '--disable-admission-plugins=ServiceAccount'],
      '--endpoint-reconciler-type=none'
    ]
  })
  const configuration = (user: string, token: string) =>
    file(
      `${user.replace(':', '-')}.json`,
      JSON.stringify({
        ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'test' },
        clusters: [
          { name: 'test', cluster: { server: `https://${loopback}:${port}`, 'insecure-skip-tls-verify': true } }
        ],
        users: [{ name: user, user: { token } }],
        contexts: [{ name: 'test', context: { cluster: 'test', user } }]
      })
    )
  const kubeconfig = configuration('admin', 'admin')
  const kubectl = async (...args: string[]) => {
    const { stdout } = await run(tools.kubectl, ['--kubeconfig', kubeconfig, ...args], { maxBuffer: 50_000_000 })
    return stdout
  }
  const isReady = () => kubectl('get', '--raw', '/readyz').then(answer => answer === 'ok')
  await waitUntil(isReady, { what: 'the API server', deadlineMs: 240_000, intervalMs: 500 })
  return {
    ...{ directory, kubeconfig, kubectl },
    async proxyAs(namespace, serviceAccount) {
      const name = `${namespace}:${serviceAccount}`
      const proxyPort = await freePort()
      supervisor.start({
        name: 'kubectl-proxy',
        command: tools.kubectl,
        args: ['--kubeconfig', configuration(name, name), 'proxy', `--port=${proxyPort}`, `--address=${loopback}`]
      })
      const isOpen = () => fetch(`${at(proxyPort)}/version`).then(({ ok }) => ok)
      await waitUntil(isOpen, { what: 'the proxy', deadlineMs: 30_000 })
      return at(proxyPort)
    }
  }
}
