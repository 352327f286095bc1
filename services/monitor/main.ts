import { createInspector } from '@orderly/kafka'
import { kafkaConnection, runService } from '@orderly/service-kit'
import { configSchema } from './config.ts'
import { observeCluster } from './from-kafka/observe-cluster.ts'
import { watchCluster } from './from-kafka/watch-cluster.ts'
import { clusterMetrics } from './to-metrics/cluster-metrics.ts'

/** Number of intervals without an observation after which the check of the cluster fails. */
const patienceIntervals = 5
const leastPatienceMs = 10_000

runService({
  name: 'monitor',
  config: configSchema,
  async start({ config, logger, metrics, onStop, ready }) {
    const inspector = createInspector(kafkaConnection(config, `monitor-${config.INSTANCE_ID}`))
    onStop('inspector', () => inspector.close())
    const { observed, failed } = clusterMetrics(metrics)
    const options = {
      hangingAfterMs: config.MONITOR_HANGING_AFTER_MS,
      ignoredGroups: config.MONITOR_IGNORED_GROUPS,
      maxGroups: config.MONITOR_MAX_GROUPS
    }
    const watch = watchCluster({
      everyMs: config.MONITOR_INTERVAL_MS,
      observe: () => observeCluster(inspector, options),
      onObserved: observed,
      onFailure(error) {
        failed()
        logger.warn({ error }, 'the cluster cannot be looked at; trying again')
      }
    })
    onStop('watch', () => watch.stop())
    const patienceMs = Math.max(leastPatienceMs, config.MONITOR_INTERVAL_MS * patienceIntervals)
    // Metrics must be scraped above all while the cluster is away.
    ready('kafka', () => Date.now() - (watch.lastObservedAtMs() ?? 0) < patienceMs, 'start')
  }
})
