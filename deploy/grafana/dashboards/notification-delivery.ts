import type { DashboardSpec } from '../dashboard.ts'
import { medianAndTail, ratesBy } from '../queries.ts'

export const notificationDelivery: DashboardSpec = {
  uid: 'notification-delivery',
  title: 'notification delivery',
  description: 'Whether customers are told, by target. Runbook: docs/notifications.md.',
  rows: [
    {
      title: 'Delivery',
      panels: [
        {
          title: 'Delivered',
          description: 'A second, by target and kind.',
          unit: 'ops',
          queries: ratesBy('orderly_notifications_delivered_total', 'target', 'kind')
        },
        {
          title: 'Failed attempts',
          description: 'By code; they are made again.',
          unit: 'ops',
          queries: ratesBy('orderly_notification_failures_total', 'target', 'code')
        },
        {
          title: 'Attempts',
          description: 'By how they ended.',
          unit: 'ops',
          queries: ratesBy('orderly_notification_delivery_duration_seconds_count', 'target', 'outcome')
        },
        {
          title: 'Delay',
          description: 'From when it was accepted to when its target took it.',
          unit: 's',
          queries: medianAndTail('orderly_notification_delay_seconds', 'target')
        },
        {
          title: 'Duration of an attempt',
          description: 'How long the target takes.',
          unit: 's',
          queries: medianAndTail('orderly_notification_delivery_duration_seconds', 'target')
        },
        {
          title: 'Lag',
          description: 'Outcomes that are not in the ledger yet.',
          unit: 's',
          queries: [{ expr: 'max(orderly_consumer_lag_seconds{group="notifications"})', legend: 'age' }]
        }
      ]
    },
    {
      title: 'What waits, and what never goes',
      panels: [
        {
          title: 'Waiting',
          description: 'Deliveries that are not settled, by target. No line: none.',
          unit: 'short',
          queries: [
            { expr: 'max by (target) (orderly_notification_backlog)', legend: '{{ target }}' },
            { expr: '0 * sum(up{job="notification"})', legend: 'none' }
          ]
        },
        {
          title: 'Oldest',
          description: 'Age of the delivery that waits longest, by target. No line: none waits.',
          unit: 's',
          alert: 'OrderlyNotificationsStuck',
          limit: 900,
          queries: [
            { expr: 'max by (target) (orderly_notification_oldest_due_age_seconds)', legend: '{{ target }}' },
            { expr: '0 * sum(up{job="notification"})', legend: 'none' }
          ]
        },
        {
          title: 'Switched off',
          description: 'Targets that answered that they want nothing any more. No line: none.',
          unit: 'short',
          alert: 'OrderlyNotificationTargetOff',
          limit: 1,
          queries: [
            {
              expr: 'max by (target) (orderly_notification_target_switched_off) or 0 * sum(up{job="notification"})',
              legend: '{{ target }}'
            }
          ]
        },
        {
          title: 'Given up',
          description: 'Waiting dead letters of notifications.',
          unit: 'short',
          queries: [{ expr: 'sum(orderly_dead_letters_waiting{topic="notifications.dlq"})', legend: 'dead letters' }]
        }
      ]
    }
  ]
}
