import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { projectDirectory } from '../directories.ts'
import { requireProgram } from '../preflight/programs.ts'
import { loopback } from '../processes/ports.ts'
import type { Supervisor } from '../processes/supervisor.ts'
import type { RunningComponent } from './component.ts'
import { whenReady } from './http-component.ts'

/** Scrape address of each job, `host:port`. */
export type Targets = Readonly<Record<string, string>>

export interface PrometheusOptions {
  readonly supervisor: Supervisor
  readonly dataDirectory: string
  readonly port: number
  readonly targets: Targets
  readonly alertmanager: string
  readonly scrapeInterval: string
  readonly alertsFor: string | undefined
}

const source = join(projectDirectory, 'deploy', 'prometheus')

/**
 * Starts Prometheus with the configuration and rules of `deploy/prometheus` and the targets of this
 * run.
 */
export async function startPrometheus(options: PrometheusOptions): Promise<RunningComponent> {
  const startedAt = performance.now()
  const program = requireProgram('prometheus')
  const configFile = await writeConfig(options)
  const address = `http://${loopback}:${options.port}`
  const child = options.supervisor.start({
    name: 'prometheus',
    command: program,
    args: [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(options.dataDirectory, 'series')}`,
      '--storage.tsdb.retention.time=15d',
      `--web.listen-address=${loopback}:${options.port}`,
      // By default, pages of all origins may read the answers of Prometheus.
      `--web.cors.origin=${address.replaceAll('.', '\\.')}`,
      '--enable-feature=exemplar-storage',
      '--log.level=warn'
    ],
    cwd: options.dataDirectory
  })
  return whenReady({ name: 'prometheus', address, child, readyPath: '/-/ready', startedAt })
}

/**
 * Writes the configuration of `deploy/prometheus` with the addresses and intervals of this run.
 * @returns the path of the main file
 */
async function writeConfig(options: PrometheusOptions): Promise<string> {
  const { dataDirectory, targets, alertmanager, scrapeInterval, alertsFor } = options
  const rules = join(dataDirectory, 'rules')
  await mkdir(dataDirectory, { recursive: true })
  await rm(rules, { recursive: true, force: true })
  await cp(join(source, 'rules'), rules, { recursive: true })
  if (alertsFor !== undefined) {
    for (const name of await readdir(rules)) {
      const file = join(rules, name)
      await writeFile(file, (await readFile(file, 'utf8')).replace(/^( +for:) .*$/gm, `$1 ${alertsFor}`))
    }
  }
  const jobs = Object.entries(targets).map(([job, target]) => ({ labels: { job }, targets: [target] }))
  // JSON is valid YAML.
  await writeFile(join(dataDirectory, 'targets.yml'), JSON.stringify(jobs))
  await writeFile(join(dataDirectory, 'alertmanagers.yml'), JSON.stringify([{ targets: [alertmanager] }]))
  const config = await readFile(join(source, 'prometheus.yml'), 'utf8')
  const configFile = join(dataDirectory, 'prometheus.yml')
  await writeFile(configFile, config.replace(/^( +(?:scrape|evaluation)_interval:) .*$/gm, `$1 ${scrapeInterval}`))
  return configFile
}
