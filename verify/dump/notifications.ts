import type { NotificationLine } from '../history/history.ts'

/** What a process of the notification service sent to people, from its log. The last line of a killed process may be torn. */
export function parseNotifications(log: string, who: { instance: string; pid: number }): NotificationLine[] {
  return log
    .slice(0, log.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(line => line.startsWith('{') && line.includes('"notification":{'))
    .map(line => {
      const { time, notification } = JSON.parse(line) as { time: string; notification: Omit<NotificationLine, 'atMs'> }
      const { id, kind, reason, orderID, userID } = notification
      const about = { id, kind, ...(reason !== undefined && { reason }), orderID, userID }
      return { ...about, instance: who.instance, pid: who.pid, atMs: Date.parse(time) }
    })
}
