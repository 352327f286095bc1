import { UserError } from '../user-error.ts'

export interface MonitoringSettings {
  /** Interval of scrapes and rule evaluations. */
  readonly scrapeInterval: string
  /** Replaces the `for` of every alert, so that tests see them fire without the wait. */
  readonly alertsFor: string | undefined
  /** Address that Alertmanager sends alerts to. */
  readonly webhookURL: string | undefined
}

/** Reads the settings of `--with monitoring`. @throws UserError that names the invalid setting */
export function monitoringSettings(environment: NodeJS.ProcessEnv): MonitoringSettings {
  return {
    scrapeInterval: durationOf('ORDERLY_SCRAPE_INTERVAL', environment) ?? '5s',
    alertsFor: durationOf('ORDERLY_ALERTS_FOR', environment),
    webhookURL: urlOf('ORDERLY_ALERT_WEBHOOK_URL', environment)
  }
}

function durationOf(name: string, environment: NodeJS.ProcessEnv): string | undefined {
  const text = environment[name]?.trim()
  if (!text) return undefined
  if (/^\d+(ms|s|m|h)$/.test(text)) return text
  throw new UserError(`${name} is "${text}": set it to a Prometheus duration such as 500ms, 5s or 2m.`)
}

function urlOf(name: string, environment: NodeJS.ProcessEnv): string | undefined {
  const text = environment[name]?.trim()
  if (!text) return undefined
  if (/^https?:\/\/\S+$/.test(text) && URL.canParse(text)) return text
  throw new UserError(
    `${name} is "${text}": set it to the address that receives alerts, such as http://127.0.0.1:9095/alerts.`
  )
}
