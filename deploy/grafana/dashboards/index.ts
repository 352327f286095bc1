import type { DashboardSpec } from '../dashboard.ts'
import { audit } from './audit.ts'
import { broker } from './broker.ts'
import { business } from './business.ts'
import { consumerLag } from './consumer-lag.ts'
import { errors } from './errors.ts'
import { notificationDelivery } from './notification-delivery.ts'
import { overview } from './overview.ts'
import { pipelineLatency } from './pipeline-latency.ts'

export const dashboards: readonly DashboardSpec[] = [
  overview,
  pipelineLatency,
  consumerLag,
  errors,
  broker,
  notificationDelivery,
  business,
  audit
]
