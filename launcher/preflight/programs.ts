import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { UserError } from '../user-error.ts'

/** Programs installed from system packages, with their file names there. */
const names = {
  prometheus: ['prometheus'],
  alertmanager: ['prometheus-alertmanager', 'alertmanager'],
  promtool: ['promtool'],
  pgbouncer: ['pgbouncer'],
  etcd: ['etcd'],
  kubectl: ['kubectl']
} as const

export type ProgramName = keyof typeof names

const usualFolders = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/opt/homebrew/bin', '/opt/prometheus']

const monitoring =
  'monitoring needs it: install Prometheus and Alertmanager (on Debian or Ubuntu `apt-get install --no-install-recommends prometheus prometheus-alertmanager`, ' +
  'and disable the services that it starts; on macOS `brew install prometheus alertmanager`), or put them on the PATH.'
const apiServer = (packageName: string) =>
  `the test with a Kubernetes API server needs it: install it (on Debian \`apt-get install --no-install-recommends ${packageName}\`, and disable a service that it starts).`
const advice: Readonly<Record<ProgramName, string>> = {
  prometheus: monitoring,
  alertmanager: monitoring,
  promtool: monitoring,
  pgbouncer:
    'the test with a connection pooler needs it: install PgBouncer (on Debian or Ubuntu `apt-get install --no-install-recommends pgbouncer`, on macOS `brew install pgbouncer`).',
  etcd: apiServer('etcd-server'),
  kubectl: apiServer('kubernetes-client')
}

/** Returns the path of a program, from PATH and the usual folders. */
export function findProgram(name: ProgramName, environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const folders = [...(environment.PATH ?? '').split(delimiter), ...usualFolders].filter(folder => folder !== '')
  return folders.flatMap(folder => names[name].map(file => join(folder, file))).find(isExecutable)
}

/** Returns the path of a program. @throws UserError that says how to install it */
export function requireProgram(name: ProgramName): string {
  const path = findProgram(name)
  if (path === undefined) throw new UserError(`${name} was not found, and ${advice[name]}`)
  return path
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
