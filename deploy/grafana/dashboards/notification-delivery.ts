import type { DashboardSpec } from '../dashboard.ts'
import { medianAndTail, ratesBy } from '../queries.ts'

export const notificationDelivery: DashboardSpec = {
  uid: 'notification-delivery',
  title: 'notification delivery',
  description: 'Delivery of notifications, by target. Runbook: docs/guides/notifications.md.',
  rows: [
    {
      title: 'Delivery',
      panels: [
        {
          title: 'Delivered',
          description: 'Delivered notifications per second, by target and kind.',
          unit: 'ops',
          queries: ratesBy('orderly_notifications_delivered_total', 'target', 'kind')
        },
        {
          title: 'Failed attempts',
          description: 'Failed attempts by code; they are retried.',
          unit: 'ops',
          queries: ratesBy('orderly_notification_failures_total', 'target', 'code')
        },
        {
          title: 'Attempts',
          description: 'Attempts by outcome.',
          unit: 'ops',
          queries: ratesBy('orderly_notification_delivery_duration_seconds_count', 'target', 'outcome')
        },
        {
          title: 'Delay',
          description: 'Time from the acceptance of a notification to its delivery.',
          unit: 's',
          queries: medianAndTail('orderly_notification_delay_seconds', 'target')
        },
        {
          title: 'Attempt duration',
          description: 'Response time of the target.',
          unit: 's',
          queries: medianAndTail('orderly_notification_delivery_duration_seconds', 'target')
        },
        {
          title: 'Lag',
          description: 'Age of the oldest event that is not in the delivery table yet.',
          unit: 's',
          queries: [{ expr: 'max(orderly_consumer_lag_seconds{group="notifications"})', legend: 'age' }]
        }
      ]
    },
    {
      title: 'Pending and undeliverable',
      panels: [
        {
          title: 'Pending',
          description: 'Pending deliveries, by target. No line: none.',
          unit: 'short',
          queries: [
            { expr: 'max by (target) (orderly_notification_backlog)', legend: '{{ target }}' },
            { expr: '0 * sum(up{job="notification"})', legend: 'none' }
          ]
        },
        {
          title: 'Oldest',
          description: 'Age of the oldest due delivery, by target. No line: none is due.',
          unit: 's',
          alert: 'OrderlyNotificationsStuck',
          limit: 900,
          queries: [
            { expr: 'max by (target) (orderly_notification_oldest_due_age_seconds)', legend: '{{ target }}' },
            { expr: '0 * sum(up{job="notification"})', legend: 'none' }
          ]
        },
        {
          title: 'Disabled targets',
          description: 'Targets that answered 410 Gone and get no more deliveries. No line: none.',
          unit: 'short',
          alert: 'OrderlyNotificationTargetDisabled',
          limit: 1,
          queries: [
            {
              expr: 'max by (target) (orderly_notification_target_disabled) or 0 * sum(up{job="notification"})',
              legend: '{{ target }}'
            }
          ]
        },
        {
          title: 'Exhausted',
          description: 'Pending dead letters of notifications.',
          unit: 'short',
          queries: [{ expr: 'max(orderly_dead_letters_waiting{topic="notifications.dlq"})', legend: 'dead letters' }]
        }
      ]
    }
  ]
}
