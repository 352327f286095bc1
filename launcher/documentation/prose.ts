/** A phrase that makes technical English hard to follow, and what to write instead. */
interface Phrase {
  readonly pattern: RegExp
  readonly instead: string
}

/** Phrases to avoid in comments, documents, test titles and messages (docs/glossary.md). */
const phrases: readonly Phrase[] = [
  { pattern: /\bwhoever\b/gi, instead: 'name the actor: the caller, the stage, an operator' },
  { pattern: /\b(?:no|some|any|every)body\b/gi, instead: 'name the actor, or write "no process", "unknown"' },
  { pattern: /\b(?:tells?|told|telling)\b/g, instead: 'returns, reports, logs, emits, notifies' },
  { pattern: /\b(?:go|goes|going|gone|went) on\b/g, instead: 'continues, resumes' },
  { pattern: /\bbec(?:ame|omes?) of\b/g, instead: 'outcome, result, status' },
  { pattern: /\banew\b/g, instead: 'again, from scratch' },
  { pattern: /\bunder way\b|\bin hand\b/g, instead: 'in flight, claimed, running' },
  { pattern: /\bby (?:itself|themselves)\b/g, instead: 'automatically, alone' },
  { pattern: /\bso (?:many|long|much|often|far)\b(?! as)/g, instead: 'at most N, for up to N, this number' },
  { pattern: /(?<!\bthere )\b(?:is|are|was|were) no\b(?! longer| more| less)/gi, instead: '"is not a …"' },
  { pattern: /\bof (?:its|their|our) own\b/g, instead: 'separate, dedicated' },
  { pattern: /\b(?:comes?|came)\b(?! from\b)/g, instead: 'arrives, follows, is received' },
  { pattern: /\b(?:stands?|stood)\b(?! (?:for|by)\b)/g, instead: 'is, precedes, its position' },
  { pattern: /\bmend(?:s|ed|ing)?\b|\bput right\b/g, instead: 'fix, correct' },
  { pattern: /\breckon\w*|\bdealt out\b/g, instead: 'compute; assigned' },
  { pattern: /\bprocessor time\b|\btime-outs?\b/g, instead: 'CPU time, timeout' },
  { pattern: /\b(?:[Hh]e|[Hh]is|[Hh]im)\b/g, instead: 'it, they' }
]

/** The beginning of a sentence fragment. Comments and titles begin with a verb or a noun phrase. */
const fragment: Phrase = {
  pattern: /^(?:Of|Those|What|Whether|Whose|Where|Who|Until|So|That|Also)\b(?!.*\?)/g,
  instead: 'begin with a verb in the third person or with a noun phrase'
}

export interface ProseHit {
  readonly line: number
  readonly found: string
  readonly instead: string
}

/** Finds phrases to avoid in a Markdown file, outside of code. */
export function proseInMarkdown(text: string): ProseHit[] {
  let isCode = false
  return text.split('\n').flatMap((content, index) => {
    if (/^\s*```/.test(content)) isCode = !isCode
    return isCode ? [] : hitsIn(content, index + 1, phrases)
  })
}

/** Finds phrases to avoid in the comments, test titles and messages of a source file. */
export function proseInSource(text: string): ProseHit[] {
  const lines = text.split('\n')
  const hits: ProseHit[] = []
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? ''
    const first = at + 1
    const comment = line.trimStart()
    if (comment.startsWith('/*') || comment.startsWith('//')) {
      const block = [line]
      const isOpen = () =>
        comment.startsWith('/*') ? !lines[at]?.includes('*/') : lines[at + 1]?.trimStart().startsWith('//') === true
      while (isOpen() && at + 1 < lines.length) block.push(lines[++at] ?? '')
      const words = block.map(part =>
        part
          .replace(/^\s*(?:\/\*+|\*+\/?|\/\/+)/, '')
          .replace('*/', '')
          .trim()
      )
      hits.push(...hitsIn(words.join(' ').trim(), first, [...phrases, fragment]))
      continue
    }
    const trailing = /[;,{})\]\w]\s+\/\/ (.*)$/.exec(line)?.[1]
    if (trailing !== undefined) hits.push(...hitsIn(trailing, first, [...phrases, fragment]))
    const title = /\b(?:test|it|describe|suite)\(\s*(['"`])((?:(?!\1).)+)\1/.exec(line)?.[2]
    if (title !== undefined) hits.push(...hitsIn(title, first, [...phrases, fragment]))
    else if (
      /\b(?:logger|log)\.\w+\(|(?:Error|UserError|Failure)\(|(?:description|summary|help):/.test(
        `${line}${lines[at - 1] ?? ''}`
      )
    )
      for (const [, , message = ''] of line.matchAll(/(['`"])((?:(?!\1).){12,})\1/g))
        if (message.includes(' ')) hits.push(...hitsIn(message, first, phrases))
  }
  return hits
}

/** Finds phrases in a text, except in inline code. */
function hitsIn(text: string, line: number, list: readonly Phrase[]): ProseHit[] {
  const words = text.replaceAll(/`[^`]*`/g, '``')
  return list.flatMap(({ pattern, instead }) =>
    [...words.matchAll(pattern)].map(([found]) => ({ line, found, instead }))
  )
}
