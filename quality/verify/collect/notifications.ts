import type { NotificationLine } from '../history/history.ts'

/**
 * Returns the notifications in the log of a notification process, without the last line if that is
 * incomplete because the process was killed.
 */
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
