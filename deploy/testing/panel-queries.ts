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

/** Every query of every panel, as it is committed. @param rateWindow in the place of what Grafana puts in */
export function panelQueries(rateWindow: string): PanelQuery[] {
  return readdirSync(directory).flatMap(file => {
    const { title, panels } = JSON.parse(readFileSync(join(directory, file), 'utf8')) as {
      title: string
      panels: Panel[]
    }
    return panels
      .flatMap(panel => [panel, ...(panel.panels ?? [])])
      .flatMap(({ title: panel, targets = [] }) =>
        targets.map(({ expr }) => ({ dashboard: title, panel, expr: expr.replaceAll('$__rate_interval', rateWindow) }))
      )
  })
}
