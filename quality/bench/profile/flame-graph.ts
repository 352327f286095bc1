import { escapeText } from '../report/plot.ts'
import type { Stack } from './stack.ts'

interface Frame {
  readonly name: string
  /** Weight of the function and of everything that it called. */
  total: number
  readonly children: Map<string, Frame>
}

/** Merges frames of the same function under the same caller. */
function toFrames(stacks: readonly Stack[]): Frame {
  const root: Frame = { name: 'all', total: 0, children: new Map() }
  for (const { frames, weight } of stacks) {
    let frame = root
    frame.total += weight
    for (const { functionName, url, lineNumber } of frames) {
      const file = url.split('/').slice(-2).join('/')
      const name = `${functionName || '(anonymous)'}${file === '' ? '' : ` ${file}:${lineNumber + 1}`}`
      const child: Frame = frame.children.get(name) ?? { name, total: 0, children: new Map() }
      frame.children.set(name, child)
      child.total += weight
      frame = child
    }
  }
  return root
}

const [width, rowHeight, narrowest] = [1_200, 18, 1.5]

/** Draws a flame graph as SVG, with callers below callees. Tooltips show full function names. */
export function flameGraph(title: string, stacks: readonly Stack[]): string {
  const root = toFrames(stacks)
  const rects: string[] = []
  let deepest = 0
  const draw = (frame: Frame, x: number, depth: number): void => {
    const frameWidth = (frame.total / root.total) * width
    if (frameWidth < narrowest) return
    deepest = Math.max(deepest, depth)
    const share = `${((frame.total / root.total) * 100).toFixed(1)} %`
    const text = frame.name.slice(0, Math.max(0, Math.floor(frameWidth / 6.6) - 1))
    rects.push(
      `<g transform="translate(${x.toFixed(1)} ${-(depth + 1) * rowHeight})"><title>${escapeText(`${frame.name}, ${share}`)}</title>` +
        `<rect width="${(frameWidth - 0.4).toFixed(1)}" height="${rowHeight - 1}" fill="${colourOf(frame.name)}"/>` +
        `<text x="3" y="13">${escapeText(text)}</text></g>`
    )
    let childX = x
    for (const child of [...frame.children.values()].toSorted((one, other) => other.total - one.total)) {
      draw(child, childX, depth + 1)
      childX += (child.total / root.total) * width
    }
  }
  draw(root, 0, 0)
  const height = (deepest + 1) * rowHeight + 34
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="monospace" font-size="11">`,
    `<rect width="${width}" height="${height}" fill="#fff"/><text x="8" y="20" font-size="14">${escapeText(title)}</text>`,
    `<g transform="translate(0 ${height})">`,
    ...rects,
    '</g></svg>\n'
  ].join('\n')
}

function colourOf(name: string): string {
  const hue = name.includes('node_modules') || name.includes('dist/') ? 200 : /\.ts:/.test(name) ? 30 : 100
  return `hsl(${hue} 70% ${70 + (name.length % 5) * 3}%)`
}
