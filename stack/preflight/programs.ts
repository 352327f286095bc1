import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { Refusal } from '../refusal.ts'

/** Programs that come as packages of the system, by the names that they have there. */
const names = {
  prometheus: ['prometheus'],
  alertmanager: ['prometheus-alertmanager', 'alertmanager'],
  promtool: ['promtool']
} as const

export type ProgramName = keyof typeof names

const usualFolders = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin', '/opt/prometheus']

const advice =
  'install Prometheus and Alertmanager (on Debian or Ubuntu `apt-get install --no-install-recommends prometheus prometheus-alertmanager`, ' +
  'and switch the services that it starts off; on macOS `brew install prometheus alertmanager`), or put them on the PATH.'

/** Its path, from PATH and the usual places. */
export function findProgram(name: ProgramName, environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const folders = [...(environment.PATH ?? '').split(delimiter), ...usualFolders].filter(folder => folder !== '')
  return folders.flatMap(folder => names[name].map(file => join(folder, file))).find(isExecutable)
}

/** @throws Refusal that says how to install it */
export function requireProgram(name: ProgramName): string {
  const path = findProgram(name)
  if (path === undefined) throw new Refusal(`${name} was not found, and monitoring needs it: ${advice}`)
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
