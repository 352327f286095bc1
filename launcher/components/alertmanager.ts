import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { projectDirectory } from '../directories.ts'
import { requireProgram } from '../preflight/programs.ts'
import { loopback } from '../processes/ports.ts'
import type { Supervisor } from '../processes/supervisor.ts'
import type { RunningComponent } from './component.ts'
import { whenReady } from './http-component.ts'

export interface AlertmanagerOptions {
  readonly supervisor: Supervisor
  readonly dataDirectory: string
  readonly port: number
  /** Webhook address; without it alerts are shown only on Alertmanager's own pages. */
  readonly webhookURL: string | undefined
}

export async function startAlertmanager(options: AlertmanagerOptions): Promise<RunningComponent> {
  const startedAt = performance.now()
  const { supervisor, dataDirectory, port, webhookURL } = options
  const program = requireProgram('alertmanager')
  await mkdir(dataDirectory, { recursive: true })
  const configFile = join(dataDirectory, 'alertmanager.yml')
  const template = await readFile(join(projectDirectory, 'deploy', 'prometheus', 'alertmanager.yml'), 'utf8')
  await writeFile(configFile, withWebhook(template, webhookURL))
  const address = `http://${loopback}:${port}`
  const child = supervisor.start({
    name: 'alertmanager',
    command: program,
    args: [
      `--config.file=${configFile}`,
      `--storage.path=${join(dataDirectory, 'state')}`,
      `--web.listen-address=${loopback}:${port}`,
      // Runs a single instance, without a cluster.
      '--cluster.listen-address=',
      '--log.level=warn'
    ],
    cwd: dataDirectory
  })
  return whenReady({ name: 'alertmanager', address, child, readyPath: '/-/ready', startedAt })
}

/**
 * Returns the configuration with the webhook address, or with a receiver that sends nothing if
 * there is none.
 */
function withWebhook(template: string, webhookURL: string | undefined): string {
  if (webhookURL === undefined) return template.replace(/^ +webhook_configs:\n(?: {6,}.*\n?)*/m, '')
  return template.replace(/^( +- url:) .*$/m, `$1 ${JSON.stringify(webhookURL)}`)
}
