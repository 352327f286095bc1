/**
 * Returns the anchor of a heading, as GitHub computes it. The site is configured to compute the
 * same.
 */
export function slugOf(heading: string): string {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, '')
    .replaceAll(' ', '-')
}

/** Returns all anchors of a page: its headings and its `id` attributes. */
export function anchorsOf(page: string): ReadonlySet<string> {
  const anchors = new Set([...page.matchAll(/\sid="([^"]+)"/g)].map(([, id = '']) => id))
  const times = new Map<string, number>()
  for (const [, heading = ''] of withoutCode(page).matchAll(/^#{1,6} (.*)$/gm)) {
    const slug = slugOf(heading)
    const count = times.get(slug) ?? 0
    times.set(slug, count + 1)
    anchors.add(count === 0 ? slug : `${slug}-${count}`)
  }
  return anchors
}

/** Replaces fenced code by empty lines, so that line numbers stay the same. */
export function withoutCode(page: string): string {
  return page.replaceAll(/^( *)```[\s\S]*?^\1```/gm, block => block.replaceAll(/[^\n]/g, ''))
}
