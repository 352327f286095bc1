import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import {
  BigValueGraphMode,
  GraphDrawStyle,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  ReduceDataOptionsBuilder,
  VisibilityMode
} from '@grafana/grafana-foundation-sdk/common'
import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh
} from '@grafana/grafana-foundation-sdk/dashboard'
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries'

/** Content of a dashboard. Its appearance is decided in this file, once for all dashboards. */
export interface DashboardSpec {
  readonly uid: string
  readonly title: string
  readonly description: string
  readonly choices?: readonly ChoiceSpec[]
  readonly rows: readonly RowSpec[]
}

/** Variable that a user selects at the top of a dashboard; queries refer to it as `$name`. */
export interface ChoiceSpec {
  readonly name: string
  /** Label of the metric whose values can be selected. */
  readonly label: string
  readonly metric: string
  readonly first: string
}

export interface RowSpec {
  readonly title: string
  readonly panels: readonly PanelSpec[]
}

export interface PanelSpec {
  readonly title: string
  /** Meaning of the panel and its good range, shown with the title. */
  readonly description: string
  /** Unit known to Grafana: `s`, `short`, `percentunit`, `bytes`, `Bps`, `ops`, `reqps`. */
  readonly unit: string
  readonly queries: readonly QuerySpec[]
  /** Alert on the same quantity; its runbook says what to do. */
  readonly alert?: string
  /** Threshold from which the value is bad: the number turns red, the chart shows a line. */
  readonly limit?: number
  /** With `limit`: values below the limit are bad, instead of values from it on. */
  readonly isLowBad?: boolean
  /** Shows the newest value instead of a line. */
  readonly isStat?: boolean
  readonly max?: number
}

export interface QuerySpec {
  readonly expr: string
  /** Legend with label placeholders (`{{ label }}`). */
  readonly legend: string
  /** Shows exemplars, which link to traces. */
  readonly hasExemplars?: boolean
}

const datasource = { type: 'prometheus', uid: `\${datasource}` }
const panelHeight = 8
const panelWidth = 8
const statHeight = 4
const statWidth = 4

export function buildDashboard({ uid, title, description, choices = [], rows }: DashboardSpec): Dashboard {
  const builder = new DashboardBuilder(`Orderly: ${title}`)
    .uid(`orderly-${uid}`)
    .description(description)
    .tags(['orderly'])
    .timezone('browser')
    .refresh('10s')
    .time({ from: 'now-1h', to: 'now' })
    .tooltip(DashboardCursorSync.Crosshair)
    .readonly()
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'))
    .link(new DashboardLinkBuilder('Orderly').type(DashboardLinkType.Dashboards).tags(['orderly']).asDropdown(true))
  for (const choice of choices) builder.withVariable(buildChoice(choice))
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title))
    for (const panel of row.panels) builder.withPanel(panel.isStat === true ? buildStat(panel) : buildTimeSeries(panel))
  }
  return builder.build()
}

function buildChoice({ name, label, metric, first }: ChoiceSpec): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .datasource(datasource)
    .query({ query: `label_values(${metric}, ${label})`, refId: 'A' })
    .definition(`label_values(${metric}, ${label})`)
    .refresh(VariableRefresh.OnDashboardLoad)
    .current({ text: first, value: first })
}

function buildTimeSeries(spec: PanelSpec): Builder<Panel> {
  const panel = new TimeSeriesBuilder()
    .title(spec.title)
    .description(describe(spec))
    .datasource(datasource)
    .unit(spec.unit)
    .min(0)
    .height(panelHeight)
    .span(panelWidth)
    .drawStyle(GraphDrawStyle.Line)
    .showPoints(VisibilityMode.Never)
    .fillOpacity(10)
  if (spec.max !== undefined) panel.max(spec.max)
  if (spec.limit !== undefined) {
    const line = new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed)
    panel.thresholds(thresholdsOf(spec)).thresholdsStyle(line)
  }
  for (const query of queriesOf(spec)) panel.withTarget(query)
  return panel
}

function buildStat(spec: PanelSpec): Builder<Panel> {
  const panel = new StatBuilder()
    .title(spec.title)
    .description(describe(spec))
    .datasource(datasource)
    .unit(spec.unit)
    .height(statHeight)
    .span(statWidth)
    .graphMode(BigValueGraphMode.Area)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .thresholds(thresholdsOf(spec))
  for (const query of queriesOf(spec)) panel.withTarget(query)
  return panel
}

function describe({ description, alert }: PanelSpec): string {
  return alert === undefined ? description : `${description} Runbook: docs/runbooks/${alert}.md.`
}

/** Returns the thresholds. Without explicit ones Grafana colors values from 80 on red. */
function thresholdsOf({ limit, isLowBad = false }: PanelSpec): ThresholdsConfigBuilder {
  const [first, second] = isLowBad ? ['red', 'green'] : ['green', 'red']
  const steps = limit === undefined ? [] : [{ value: limit, color: second }]
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([{ value: null, color: first }, ...steps])
}

function queriesOf({ queries }: PanelSpec): DataqueryBuilder[] {
  return queries.map(({ expr, legend, hasExemplars = false }, index) =>
    new DataqueryBuilder()
      .refId(String.fromCharCode(65 + index))
      .datasource(datasource)
      .expr(expr)
      .legendFormat(legend)
      .exemplar(hasExemplars)
      .range()
  )
}
