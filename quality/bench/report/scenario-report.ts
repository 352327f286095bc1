import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { markdownTable } from '@orderly/command-line'
import type { Spread } from '../measure/statistics.ts'

/** Report of a scenario: Markdown, plots by name, and targets. */
export interface ScenarioReport {
  readonly title: string
  /** The main result as a phrase for the summary; the first targets unless given. */
  readonly result?: string
  readonly markdown: string
  readonly plots?: Readonly<Record<string, string>>
  readonly targets?: readonly Target[]
}

export interface Target {
  readonly what: string
  readonly wanted: number
  readonly direction: 'at least' | 'at most'
  readonly measured: number
  /** Lowest and highest value, if there were several rounds. */
  readonly range?: Omit<Spread, 'median'>
  readonly unit?: string
  /** Explanation that is printed if the target is missed. */
  readonly why: string
}

export function isMet({ wanted, direction, measured }: Target): boolean {
  return direction === 'at least' ? measured >= wanted : measured <= wanted
}

export function describeTargets(targets: readonly Target[]): string {
  const rows = targets.map(target => {
    const unit = target.unit === undefined ? '' : ` ${target.unit}`
    const verdict = isMet(target) ? 'met' : '**missed**'
    return [
      target.what,
      `${target.direction} ${target.wanted}${unit}`,
      `${figure(target.measured)}${unit}`,
      describeRange(target),
      verdict
    ]
  })
  const reasons = targets.flatMap(target => (isMet(target) ? [] : [`- *${target.what}*: ${target.why}`]))
  const table = figureTable(['target', 'wanted', 'measured', 'rounds', ''], rows)
  return reasons.length === 0 ? table : `${table}\n\nCauses of missed targets:\n\n${reasons.join('\n')}`
}

function describeRange({ range }: Target): string {
  if (range === undefined || range.lowest === range.highest) return ''
  return `${figure(range.lowest)} – ${figure(range.highest)}`
}

/** Formats a number with two decimals below 10, one below 100, and none from there on. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}

/** Returns a Markdown table whose columns are aligned to the right, except the first. */
export function figureTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const rules = header.map((_, index) => (index === 0 ? '---' : '---:'))
  return markdownTable(header, rows, rules)
}

/** Writes the page and plots of a scenario, and updates the index of all scenarios. */
export async function saveReport(
  directory: string,
  name: string,
  report: ScenarioReport,
  machine: string
): Promise<string> {
  await mkdir(directory, { recursive: true })
  const plots = Object.entries(report.plots ?? {})
  for (const [plot, svg] of plots) await writeFile(join(directory, `${name}-${plot}.svg`), svg)
  const sections = [
    `# ${report.title}`,
    machine,
    ...(report.targets?.length ? [describeTargets(report.targets)] : []),
    report.markdown.trim(),
    ...plots.map(([plot]) => `![${plot}](${name}-${plot}.svg)`)
  ]
  const page = join(directory, `${name}.md`)
  await writeFile(page, `${sections.join('\n\n')}\n`)
  await writeIndex(directory)
  return page
}

async function writeIndex(directory: string): Promise<void> {
  const pages = (await readdir(directory)).filter(file => file.endsWith('.md') && file !== 'README.md').toSorted()
  const lines = await Promise.all(
    pages.map(async page => {
      const [first = ''] = (await readFile(join(directory, page), 'utf8')).split('\n')
      return `- [${first.replace(/^# /, '')}](${page})`
    })
  )
  await writeFile(join(directory, 'README.md'), `# Results of \`npm run bench\`\n\n${lines.join('\n')}\n`)
}
