import type { DashboardSpec, PanelSpec } from '../dashboard.ts'
import { rateOf, ratesBy } from '../queries.ts'

export const business: DashboardSpec = {
  uid: 'business',
  title: 'business',
  description: 'Orders per minute from metrics.order.rate, and their outcomes.',
  rows: [
    {
      title: 'Orders',
      panels: [
        {
          title: 'Orders per minute',
          description: 'Published to metrics.order.rate: the current minute and the previous one.',
          unit: 'short',
          queries: [{ expr: 'max by (minute) (orderly_order_rate_orders)', legend: '{{ minute }}' }]
        },
        {
          title: 'Outcomes per minute',
          description: 'Outcomes decided by the inventory.',
          unit: 'short',
          queries: [{ expr: `60 * ${rateOf('orderly_inventory_outcomes_total', 'kind')}`, legend: '{{ kind }}' }]
        },
        {
          title: 'Out of stock',
          description: 'Share of orders that failed.',
          unit: 'percentunit',
          queries: [
            {
              expr: `${rateOf('orderly_inventory_outcomes_total{kind="failed"}')} / ${rateOf('orderly_inventory_outcomes_total')}`,
              legend: 'failed'
            }
          ]
        },
        {
          title: 'Orders by lateness',
          description: 'Late orders are counted separately, because the figure of their minute is final.',
          unit: 'ops',
          queries: ratesBy('orderly_aggregator_orders_total', 'kind')
        },
        {
          title: 'Replayed orders',
          description: 'Repeated requests with a known idempotency key, per minute.',
          unit: 'short',
          queries: [{ expr: `60 * ${rateOf('orderly_orders_placed_total{outcome="replayed"}')}`, legend: 'replayed' }]
        },
        {
          title: 'Age of complete rates',
          description: 'Time since the moment up to which all orders have been counted.',
          unit: 's',
          queries: [{ expr: 'time() - max(orderly_aggregator_complete_until_timestamp_seconds)', legend: 'behind' }]
        }
      ]
    },
    {
      title: 'Cancels, holds, confirmations',
      panels: [
        changes(
          'Cancelled',
          'Per minute: stock was released, or the cancel preceded the decision on the order.',
          'cancel'
        ),
        changes('Confirmed', 'Per minute: the hold became permanent. `none`: too late, or not a hold.', 'confirm'),
        changes('Expired', 'Per minute: a hold ended without a confirmation, and its stock was released.', 'expire')
      ]
    }
  ]
}

/** Returns a panel with the effects of one kind of change request. */
function changes(title: string, description: string, change: string): PanelSpec {
  const expr = `60 * ${rateOf(`orderly_inventory_changes_total{change="${change}"}`, 'effect')}`
  return { title, description, unit: 'short', queries: [{ expr, legend: '{{ effect }}' }] }
}
