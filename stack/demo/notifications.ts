import { readFile } from 'node:fs/promises'
import type { SentNotification } from './verdicts.ts'

interface NotificationLine {
  readonly time: string
  readonly notification?: Omit<SentNotification, 'sentAtMs'>
}

/** What the notification service's console sink wrote so far. */
export async function readNotifications(logFile: string): Promise<SentNotification[]> {
  return parseNotifications(await readFile(logFile, 'utf8'))
}

/** The last line may still be in the making. */
export function parseNotifications(log: string): SentNotification[] {
  return log
    .slice(0, log.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(line => line.startsWith('{') && line.includes('"notification":{'))
    .flatMap(line => {
      const { time, notification } = JSON.parse(line) as NotificationLine
      return notification === undefined ? [] : [{ ...notification, sentAtMs: Date.parse(time) }]
    })
}
