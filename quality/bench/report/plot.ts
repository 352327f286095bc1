export interface Bar {
  readonly label: string
  readonly value: number
  readonly lowest?: number
  readonly highest?: number
  /** Text after the value of the bar. */
  readonly note?: string
}

export interface Series {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface LineOptions {
  readonly title: string
  readonly x: string
  readonly y: string
  readonly series: readonly Series[]
}

/** Palette of Okabe and Ito, which is suitable for colour-blind readers. */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#666666']
const font = 'font-family="system-ui, sans-serif" font-size="13"'

/** Draws horizontal bars with their spread as a thin line, as SVG. */
export function barPlot(title: string, unit: string, bars: readonly Bar[]): string {
  const [left, width, rowHeight, top] = [230, 720, 30, 50]
  const most = Math.max(...bars.map(({ value, highest }) => highest ?? value), Number.MIN_VALUE)
  const scale = (value: number) => (value / most) * (width - left - 130)
  const rows = bars.map(({ label, value, lowest = value, highest = value, note = '' }, index) => {
    const y = top + index * rowHeight
    const colour = colours[index % colours.length]
    const middle = y + rowHeight / 2
    return [
      `<text x="${left - 8}" y="${middle + 4}" text-anchor="end">${escapeText(label)}</text>`,
      `<rect x="${left}" y="${y + 4}" width="${round(scale(value))}" height="${rowHeight - 8}" fill="${colour}"/>`,
      `<line x1="${round(left + scale(lowest))}" x2="${round(left + scale(highest))}" y1="${middle}" y2="${middle}" stroke="#222"/>`,
      `<text x="${round(left + scale(highest) + 6)}" y="${middle + 4}">${escapeText(`${short(value)} ${note}`)}</text>`
    ].join('')
  })
  return svg(width, top + bars.length * rowHeight + 16, title, unit, rows)
}

/** Draws lines on a common scale, with both axes starting at zero, as SVG. */
export function linePlot({ title, x, y, series }: LineOptions): string {
  const [left, right, top, bottom, width, height] = [80, 20, 60, 60, 720, 360]
  const points = series.flatMap(line => line.points)
  const mostX = niceTop(Math.max(...points.map(([value]) => value), Number.MIN_VALUE))
  const mostY = niceTop(Math.max(...points.map(([, value]) => value), Number.MIN_VALUE))
  const placeX = (value: number) => round(left + (value / mostX) * (width - left - right))
  const placeY = (value: number) => round(height - bottom - (value / mostY) * (height - top - bottom))
  const marks = [0, 0.25, 0.5, 0.75, 1].flatMap(part => [
    `<line x1="${left}" x2="${width - right}" y1="${placeY(part * mostY)}" y2="${placeY(part * mostY)}" stroke="#ddd"/>`,
    `<text x="${left - 8}" y="${placeY(part * mostY) + 4}" text-anchor="end">${short(part * mostY)}</text>`,
    `<text x="${placeX(part * mostX)}" y="${height - bottom + 18}" text-anchor="middle">${short(part * mostX)}</text>`
  ])
  const lines = series.map(({ name, points }, index) => {
    const colour = colours[index % colours.length]
    const path = points.map(([pointX, pointY]) => `${placeX(pointX)},${placeY(pointY)}`).join(' ')
    const legendX = left + 10 + index * 160
    return [
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      `<rect x="${legendX}" y="${top - 14}" width="12" height="4" fill="${colour}"/>`,
      `<text x="${legendX + 17}" y="${top - 7}">${escapeText(name)}</text>`
    ].join('')
  })
  const axis = `<text x="${(width + left) / 2}" y="${height - 16}" text-anchor="middle">${escapeText(x)}</text>`
  return svg(width, height, title, y, [...marks, ...lines, axis])
}

/** Rounds up to 1, 2, 2.5, 4 or 5 times a power of ten, so that its quarters are short numbers. */
function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 2.5, 4, 5].find(step => step * power >= value) ?? 10) * power
}

function svg(width: number, height: number, title: string, unit: string, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ${font}>`,
    `<title>${escapeText(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="12" y="20" font-weight="600">${escapeText(title)}</text>`,
    `<text x="12" y="37" fill="#555">${escapeText(unit)}</text>`,
    ...parts,
    '</svg>\n'
  ].join('\n')
}

/** Formats a number with three significant digits, with the suffix k or M if it is large. */
export function short(value: number): string {
  const size = Math.abs(value)
  if (size >= 1e6) return `${plain(value / 1e6)}M`
  if (size >= 1e4) return `${plain(value / 1e3)}k`
  return plain(value)
}

function plain(value: number): string {
  if (Math.abs(value) >= 1_000) return String(Math.round(value))
  return String(Number(value.toPrecision(3)))
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

export function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
