import { escapeText } from './plot.ts'

/** What `node --cpu-prof` and the inspector write (https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile). */
export interface CPUProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

export interface Frame {
  readonly name: string
  /** Microseconds in it and in what it called. */
  totalUs: number
  selfUs: number
  readonly children: Map<string, Frame>
}

const notWork = new Set(['(idle)', '(program)'])

/** Frames of the same function under the same caller become one. Time in which nothing ran is left out. */
export function toFrames({ nodes, samples, timeDeltas }: CPUProfile): Frame {
  const byID = new Map(nodes.map(node => [node.id, node]))
  const parents = new Map<number, number>()
  for (const { id, children = [] } of nodes) for (const child of children) parents.set(child, id)
  const root: Frame = { name: 'all', totalUs: 0, selfUs: 0, children: new Map() }
  samples.forEach((id, index) => {
    const path: string[] = []
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const { functionName, url, lineNumber } = (byID.get(at) as CPUProfile['nodes'][number]).callFrame
      if (functionName === '(root)') continue
      const file = url.split('/').slice(-2).join('/')
      path.push(`${functionName || '(anonymous)'}${file === '' ? '' : ` ${file}:${lineNumber + 1}`}`)
    }
    if (path[0] !== undefined && notWork.has(path[0])) return
    const us = timeDeltas[index] ?? 0
    let frame = root
    frame.totalUs += us
    for (const name of path.reverse()) {
      const child: Frame = frame.children.get(name) ?? { name, totalUs: 0, selfUs: 0, children: new Map() }
      frame.children.set(name, child)
      child.totalUs += us
      frame = child
    }
    frame.selfUs += us
  })
  return root
}

/** The functions in which most of the time was spent, themselves, wherever they were called from. */
export function hottest(root: Frame, count: number): { name: string; share: number }[] {
  const selfUs = new Map<string, number>()
  const visit = (frame: Frame): void => {
    selfUs.set(frame.name, (selfUs.get(frame.name) ?? 0) + frame.selfUs)
    for (const child of frame.children.values()) visit(child)
  }
  visit(root)
  return [...selfUs]
    .toSorted(([, one], [, other]) => other - one)
    .slice(0, count)
    .map(([name, us]) => ({ name, share: us / root.totalUs }))
}

const [width, rowHeight, narrowest] = [1_200, 18, 0.8]

/** Callers below, what they call above; as wide as it took. Titles (point at a frame) name functions in full. */
export function flameGraph(title: string, root: Frame): string {
  const rects: string[] = []
  let deepest = 0
  const draw = (frame: Frame, x: number, depth: number): void => {
    const frameWidth = (frame.totalUs / root.totalUs) * width
    if (frameWidth < narrowest) return
    deepest = Math.max(deepest, depth)
    const share = `${((frame.totalUs / root.totalUs) * 100).toFixed(1)} %`
    const text = frame.name.slice(0, Math.max(0, Math.floor(frameWidth / 6.6) - 1))
    rects.push(
      `<g transform="translate(${x.toFixed(1)} ${-(depth + 1) * rowHeight})"><title>${escapeText(`${frame.name}, ${share}`)}</title>` +
        `<rect width="${(frameWidth - 0.4).toFixed(1)}" height="${rowHeight - 1}" fill="${colourOf(frame.name)}"/>` +
        `<text x="3" y="13">${escapeText(text)}</text></g>`
    )
    let childX = x
    for (const child of [...frame.children.values()].toSorted((one, other) => other.totalUs - one.totalUs)) {
      draw(child, childX, depth + 1)
      childX += (child.totalUs / root.totalUs) * width
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
