/** Returns a Markdown table. Pipes and line breaks in cells are escaped. */
export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ')
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n')
}

/**
 * Replaces the text between `<!-- name -->` and `<!-- /name -->`.
 * @throws Error if the page lacks the markers
 */
export function fillSection(page: string, name: string, text: string): string {
  const section = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`)
  if (!section.test(page)) throw new Error(`the page lacks the markers <!-- ${name} --> and <!-- /${name} -->`)
  return page.replace(section, (_, begin: string, end: string) => `${begin}${text}\n${end}`)
}
