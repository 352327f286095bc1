import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const directory = join(import.meta.dirname, '..', 'grafana', 'generated')

export interface PanelQuery {
  readonly dashboard: string
  readonly panel: string
  readonly expr: string
}

interface Panel {
  readonly title: string
  readonly targets?: readonly { readonly expr: string }[]
  readonly panels?: readonly Panel[]
}

interface Dashboard {
  readonly title: string
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly current?: { value: string } }[] }
}

/**
 * Returns every query of every committed panel.
 * @param rateWindow replaces Grafana's rate interval
 */
export function panelQueries(rateWindow: string): PanelQuery[] {
  return readdirSync(directory).flatMap(file => {
    const { title, panels, templating } = JSON.parse(readFileSync(join(directory, file), 'utf8')) as Dashboard
    const chosen = [...templating.list, { name: '__rate_interval', current: { value: rateWindow } }]
    const asGrafanaAsks = (expr: string) =>
      chosen.reduce((text, { name, current }) => text.replaceAll(`$${name}`, current?.value ?? ''), expr)
    return panels
      .flatMap(panel => [panel, ...(panel.panels ?? [])])
      .flatMap(({ title: panel, targets = [] }) =>
        targets.map(({ expr }) => ({ dashboard: title, panel, expr: asGrafanaAsks(expr) }))
      )
  })
}
