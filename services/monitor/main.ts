import { createInspector } from '@orderly/kafka'
import { kafkaConnection, runService } from '@orderly/service-kit'
import { configSchema } from './config.ts'
import { createHeldPartitions } from './domain/held-partitions.ts'
import { clusterMetrics } from './metrics/cluster-metrics.ts'
import { observeCluster } from './observer/observe-cluster.ts'
import { watchCluster } from './observer/watch-cluster.ts'

/** Number of intervals without an observation after which the readiness check fails. */
const patienceIntervals = 5
const leastPatienceMs = 10_000

runService({
  name: 'monitor',
  config: configSchema,
  async start({ config, logger, metrics, onStop, ready }) {
    const connection = kafkaConnection(config, `monitor-${config.INSTANCE_ID}`)
    const inspector = createInspector(connection)
    onStop('inspector', () => inspector.close())
    const { observed, failed } = clusterMetrics(metrics)
    const options = {
      hangingAfterMs: config.MONITOR_HANGING_AFTER_MS,
      heldPartitions: createHeldPartitions({ afterMs: config.MONITOR_HANGING_AFTER_MS }),
      ignoredGroups: config.MONITOR_IGNORED_GROUPS,
      maxGroups: config.MONITOR_MAX_GROUPS
    }
    const watch = watchCluster({
      everyMs: config.MONITOR_INTERVAL_MS,
      observe: () => observeCluster(inspector, options),
      onObserved: observed,
      onFailure(error) {
        failed()
        logger.warn({ error, event: 'cluster_unobserved' }, 'failed to observe the cluster, retrying')
      }
    })
    onStop('watch', () => watch.stop())
    const patienceMs = Math.max(leastPatienceMs, config.MONITOR_INTERVAL_MS * patienceIntervals)
    // The check applies only at startup: metrics must be scraped while the cluster is unavailable.
    ready('kafka', () => Date.now() - (watch.lastObservedAtMs() ?? 0) < patienceMs, 'start')
  }
})
