/** Replaces the tables of a document, each between `<!-- name -->` and `<!-- /name -->`. */
export function withTables(document: string, tables: Readonly<Record<string, string>>): string {
  return Object.entries(tables).reduce((text, [name, table]) => {
    const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
    const [from, to] = [text.indexOf(begin), text.indexOf(end)]
    if (from < 0 || to < from) throw new Error(`the document lacks the markers ${begin} and ${end}`)
    return `${text.slice(0, from)}${begin}\n${table}\n${text.slice(to)}`
  }, document)
}
