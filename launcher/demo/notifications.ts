import { readFile } from 'node:fs/promises'
import type { SentNotification } from './verdicts.ts'

interface NotificationLine {
  readonly time: string
  readonly notification?: Omit<SentNotification, 'sentAtMs'>
}

/** Reads the notifications that the console sink of the notification service has logged. */
export async function readNotifications(logFile: string): Promise<SentNotification[]> {
  return parseNotifications(await readFile(logFile, 'utf8'))
}

/** Parses the notifications in a log. The last line may be incomplete and is ignored. */
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
