import type { DashboardSpec, PanelSpec } from '../dashboard.ts'
import { rateOf, ratesBy } from '../queries.ts'

export const business: DashboardSpec = {
  uid: 'business',
  title: 'business',
  description: 'Orders per minute as metrics.order.rate has them, and what became of them.',
  rows: [
    {
      title: 'Orders',
      panels: [
        {
          title: 'Orders per minute',
          description: 'As published to metrics.order.rate: the minute under way, and the one before.',
          unit: 'short',
          queries: [{ expr: 'max by (minute) (orderly_order_rate_orders)', legend: '{{ minute }}' }]
        },
        {
          title: 'Outcomes per minute',
          description: 'What the inventory decided.',
          unit: 'short',
          queries: [{ expr: `60 * ${rateOf('orderly_inventory_outcomes_total', 'kind')}`, legend: '{{ kind }}' }]
        },
        {
          title: 'Out of stock',
          description: 'The share of orders that failed.',
          unit: 'percentunit',
          queries: [
            {
              expr: `${rateOf('orderly_inventory_outcomes_total{kind="failed"}')} / ${rateOf('orderly_inventory_outcomes_total')}`,
              legend: 'failed'
            }
          ]
        },
        {
          title: 'Orders by when they came',
          description: 'Late ones are counted beside the figure of their minute, which is final.',
          unit: 'ops',
          queries: ratesBy('orderly_aggregator_orders_total', 'kind')
        },
        {
          title: 'Orders with a key that was known',
          description: 'Callers that tried again, a minute.',
          unit: 'short',
          queries: [{ expr: `60 * ${rateOf('orderly_orders_placed_total{outcome="replayed"}')}`, legend: 'replayed' }]
        },
        {
          title: 'Rates are complete until',
          description: 'How long ago: all orders before that have been counted.',
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
          'A minute: stock was given back, or the cancel came before the order was decided.',
          'cancel'
        ),
        changes('Confirmed', 'A minute: what was held is kept. `none` came too late, or was not a hold.', 'confirm'),
        changes('Expired', 'A minute: nobody confirmed a hold in its time, and its stock was given back.', 'expire')
      ]
    }
  ]
}

/** What became of what was asked of orders later. */
function changes(title: string, description: string, change: string): PanelSpec {
  const expr = `60 * ${rateOf(`orderly_inventory_changes_total{change="${change}"}`, 'effect')}`
  return { title, description, unit: 'short', queries: [{ expr, legend: '{{ effect }}' }] }
}
