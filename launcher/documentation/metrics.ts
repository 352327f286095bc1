import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { markdownTable } from '@orderly/command-line'
import { projectDirectory } from '../directories.ts'

interface MetricText {
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
}

/**
 * A name in quotes, then the help text, as options of a metric or as arguments of a local function
 * that creates one.
 */
const declaration = /'(orderly_[a-z0-9_]+)',\s*(?:help:\s*)?(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)")/g

/** Tables of metrics by the folder that declares them, read from the sources. */
export function metricTables(): Map<string, string> {
  const files = globSync(['packages/*/**/*.ts', 'services/*/**/*.ts'], { cwd: projectDirectory }).filter(
    file => !/\.test\.ts$|\/testing\/|node_modules/.test(file)
  )
  const byFolder = new Map<string, MetricText[]>()
  for (const file of files.toSorted()) {
    const [kind, name] = file.split('/')
    const found = metricsIn(readFileSync(join(projectDirectory, file), 'utf8'))
    if (found.length > 0) byFolder.set(`${kind}/${name}`, [...(byFolder.get(`${kind}/${name}`) ?? []), ...found])
  }
  return new Map([...byFolder].map(([folder, metrics]) => [folder, table(metrics)]))
}

function metricsIn(source: string): MetricText[] {
  return [...source.matchAll(declaration)].flatMap(match => {
    const [all, name = '', quoted, doubleQuoted] = match
    const help = (quoted ?? doubleQuoted ?? '').replaceAll("\\'", "'")
    // Database roles have such names as well, and are listed one after the other.
    return help.includes(' ') ? [{ name, help, labels: labelsAfter(source, match.index + all.length) }] : []
  })
}

/**
 * Finds the labels between a help text and the end of its call: in `labelNames`, as an array, or as
 * a constant.
 */
function labelsAfter(source: string, start: number): readonly string[] {
  const end = source.slice(start).search(/\n {2,8}\}?\)|\)\n/)
  const rest = source.slice(start, end < 0 ? undefined : start + end)
  const list = /labelNames: \[([^\]]*)\]/.exec(rest)?.[1] ?? /^,\s*\[([^\]]*)\]/.exec(rest)?.[1]
  if (list !== undefined) return namesIn(list)
  const constant = /^,\s*(\w+)\s*$/.exec(rest)?.[1]
  const value = constant === undefined ? undefined : new RegExp(`const ${constant} = \\[([^\\]]*)\\]`).exec(source)?.[1]
  if (value !== undefined) return namesIn(value)
  // A local function that gives all of its metrics the same labels.
  const isCall = !/labelNames|registers|collect|metrics$/.test(rest)
  const ofAll = isCall ? /=>\s*new Gauge\(\{[^}]*labelNames: \['([^\]]*)'\]/.exec(source)?.[1] : undefined
  return ofAll === undefined ? [] : [ofAll]
}

const namesIn = (list: string): string[] => [...list.matchAll(/'([^']+)'/g)].map(([, name = '']) => name)

function table(metrics: readonly MetricText[]): string {
  const rows = metrics
    .toSorted((a, b) => a.name.localeCompare(b.name, 'en'))
    .map(({ name, labels, help }) => [`\`${name}\``, labels.map(label => `\`${label}\``).join(', '), help])
  return markdownTable(['metric', 'labels', 'meaning'], rows)
}
