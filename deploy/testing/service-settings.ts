import { configSchema as aggregator } from '../../services/aggregator/config.ts'
import { configSchema as inventory } from '../../services/inventory/config.ts'
import { configSchema as monitor } from '../../services/monitor/config.ts'
import { configSchema as notification } from '../../services/notification/config.ts'
import { configSchema as order } from '../../services/order/config.ts'

/** Settings schema of each service. */
export const settingsOfServices = { order, inventory, notification, aggregator, monitor } as const
