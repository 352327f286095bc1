/**
 * Replaces the text between `<!-- name -->` and `<!-- /name -->`.
 * @throws Error if the page lacks the markers
 */
export function fillSection(page: string, name: string, text: string): string {
  const section = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`)
  if (!section.test(page)) throw new Error(`the page lacks the markers <!-- ${name} --> and <!-- /${name} -->`)
  return page.replace(section, (_, begin: string, end: string) => `${begin}${text}\n${end}`)
}
