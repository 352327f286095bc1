import { join } from 'node:path'
import { loopback } from '../processes/ports.ts'
import { monitorService, serviceNames } from '../services.ts'
import { startAlertmanager } from './alertmanager.ts'
import type { RunningComponent } from './component.ts'
import type { ExtraContext } from './extra-context.ts'
import { monitoringSettings } from './monitoring-settings.ts'
import { startPrometheus, type Targets } from './prometheus.ts'
import { startService } from './service.ts'

/**
 * Starts the monitor, Alertmanager and Prometheus. Prometheus scrapes everything and evaluates the
 * rules of `deploy/prometheus`.
 */
export async function startMonitoring(context: ExtraContext): Promise<readonly RunningComponent[]> {
  const { supervisor, directories, ports, brokerMetrics, connectMetrics, environment } = context
  const settings = monitoringSettings(environment)
  const at = (port: number): string => `${loopback}:${port}`
  const [monitor, alertmanager] = await Promise.all([
    startService({ supervisor, service: monitorService, port: ports.monitor, env: environment }),
    startAlertmanager({
      supervisor,
      dataDirectory: join(directories.data, 'alertmanager'),
      port: ports.alertmanager,
      webhookURL: settings.webhookURL
    })
  ])
  const targets: Targets = {
    ...Object.fromEntries(serviceNames.map(name => [name, at(ports[name])])),
    monitor: at(ports.monitor),
    ...(brokerMetrics !== undefined && { kafka: at(brokerMetrics) }),
    ...(connectMetrics !== undefined && { connect: at(connectMetrics) }),
    prometheus: at(ports.prometheus),
    alertmanager: at(ports.alertmanager)
  }
  const prometheus = await startPrometheus({
    supervisor,
    dataDirectory: join(directories.data, 'prometheus'),
    port: ports.prometheus,
    targets,
    alertmanager: at(ports.alertmanager),
    scrapeInterval: settings.scrapeInterval,
    alertsFor: settings.alertsFor
  })
  return [monitor, alertmanager, prometheus]
}
