import { Refusal } from '../refusal.ts'

export interface MonitoringSettings {
  /** How often Prometheus scrapes and checks the rules. */
  readonly scrapeInterval: string
  /** Put in the place of every alert's `for`, to see them fire without the wait. */
  readonly alertsFor: string | undefined
  /** Where Alertmanager tells of alerts. */
  readonly webhookURL: string | undefined
}

/** @throws Refusal that names the setting */
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
  throw new Refusal(`${name} is "${text}": set it to a duration as Prometheus writes it, 500ms, 5s or 2m.`)
}

function urlOf(name: string, environment: NodeJS.ProcessEnv): string | undefined {
  const text = environment[name]?.trim()
  if (!text) return undefined
  if (/^https?:\/\/\S+$/.test(text) && URL.canParse(text)) return text
  throw new Refusal(
    `${name} is "${text}": set it to the address that is to be told of alerts, http://127.0.0.1:9095/alerts.`
  )
}
