import { escapeControls } from '@orderly/service-kit'

export interface Column<Row> {
  readonly title: string
  readonly value: (row: Row) => string | number | bigint | undefined
  /** True to align the column to the right. */
  readonly isNumber?: true
}

/** Formats a table whose columns are as wide as their widest cell; an unknown value is a dash. */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map(row => columns.map(({ value }) => escapeControls(String(value(row) ?? '-'))))
  const widths = columns.map(({ title }, index) => Math.max(title.length, ...cells.map(row => row[index]?.length ?? 0)))
  const line = (texts: readonly string[]) =>
    texts
      .map((text, index) =>
        columns[index]?.isNumber ? text.padStart(widths[index] ?? 0) : text.padEnd(widths[index] ?? 0)
      )
      .join('  ')
      .trimEnd()
  return [line(columns.map(({ title }) => title)), ...cells.map(line)].join('\n')
}

/**
 * Returns a Markdown table. Pipes and line breaks in cells are escaped.
 * @param rules the cells below the header, which align the columns
 */
export function markdownTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  rules: readonly string[] = header.map(() => '---')
): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ')
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`
  return [line(header), line(rules), ...rows.map(line)].join('\n')
}

/** Formats a table of texts with a title for each column. */
export function formatRows(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const columns = titles.map((title, index) => ({ title, value: (row: readonly string[]) => row[index] }))
  return formatTable(columns, rows)
}
