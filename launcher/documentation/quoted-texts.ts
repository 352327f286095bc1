import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { markdownTable } from '@orderly/command-line'
import { projectDirectory } from '../directories.ts'

interface Source {
  readonly file: string
  readonly text: string
}

const isTest = ({ file }: Source) => /\.test\.ts$|\/testing\//.test(file)
const literal = /'((?:\\.|[^'\\\n])*)'|"((?:\\.|[^"\\\n])*)"|`((?:\\.|[^`\\])*)`/g
const pattern = /(?<=[\s(,[])\/((?:\\.|\[[^\]]*\]|[^/\\\n[])+)\/[gimsuy]*(?=[,).\s\]])/g
/** Operators of a pattern, between which it quotes texts. */
const operators = /\.\*|\\[SsdwDWbn]\+?|\(\?[:!=]|[()|^$[\]+*?]/
const title = /\b(?:test|describe)\(\s*(?:'[^'\n]*'|"[^"\n]*"|`[^`]*`)/g
/** Statements and commands are interfaces, not texts. */
const isText = (part: string) =>
  part.length >= 20 && part.split(' ').length >= 3 && !/^(SELECT|INSERT|UPDATE|DELETE) | --/.test(part)

/**
 * Table of the texts that tests of another workspace quote: who changes such a text changes these
 * tests, too. Tests of the verifier and of the benchmark read each other's plans and count as one.
 */
export function quotedTexts(): string {
  const files = globSync(['{contracts,packages,services,launcher,cli,deploy,quality}/**/*.ts'], {
    cwd: projectDirectory,
    exclude: name => /^(node_modules|generated|results|mutants|\.orderly)$/.test(name)
  })
  const sources = files.toSorted().map(file => ({ file, text: withoutComments(file) }))
  const written = Map.groupBy(
    sources.filter(source => !isTest(source)),
    workspaceOf
  )
  const textsOf = new Map([...written].map(([name, own]) => [name, own.map(literalsIn).join('\n')]))
  const quotes = new Map<string, string[]>()
  for (const source of sources.filter(isTest)) {
    for (const quote of new Set(quotesIn(source))) {
      const writers = [...textsOf].filter(([, texts]) => texts.includes(quote)).map(([name]) => name)
      const [writer] = writers
      if (writer === undefined || writers.includes(workspaceOf(source))) continue
      const row = `${quote}\0${writers.join(', ')}`
      quotes.set(row, [...(quotes.get(row) ?? []), source.file])
    }
  }
  const rows = [...quotes].map(([row, tests]) => {
    const [quote = '', writers = ''] = row.split('\0')
    return [`"${quote.replaceAll('`', '')}"`, writers, tests.map(test => `\`${test}\``).join(', ')]
  })
  return markdownTable(['text', 'written in', 'quoted by'], rows)
}

function withoutComments(file: string): string {
  return readFileSync(join(projectDirectory, file), 'utf8').replaceAll(/^\s*(?:\/\/|\*|\/\*).*$/gm, '')
}

function workspaceOf({ file }: Source): string {
  const [first = '', second = ''] = file.split('/')
  return ['packages', 'services'].includes(first) ? `${first}/${second}` : first
}

function literalsIn({ text }: Source): string {
  return [...text.matchAll(literal)].map(([, one, two, three]) => one ?? two ?? three ?? '').join('\n')
}

/** Returns the texts of strings and patterns, without titles and the parts that vary. */
function quotesIn({ text }: Source): string[] {
  const code = text.replaceAll(title, '')
  const strings = [...code.matchAll(literal)].flatMap(([, one, two, three]) =>
    (one ?? two ?? three ?? '').split(/\$\{[^}]*\}/)
  )
  const patterns = [...code.matchAll(pattern)].flatMap(([, found = '']) =>
    found.replaceAll(/\\([./`"'-])/g, '$1').split(operators)
  )
  return [...strings, ...patterns].map(part => part.trim()).filter(isText)
}
