/** What the verifier and the part of it that runs inside services agree on. */
/** Where stages, and the order service with orders that have a key, say where they are. */
export const channels = ['orderly:stage', 'orderly:keyed-order'] as const

export const environmentNames = {
  journal: 'VERIFY_JOURNAL',
  mutant: 'VERIFY_MUTANT'
} as const

/** What a process is to do to itself when it has passed a point so often. */
export interface PointOrder {
  readonly point: string
  readonly afterPasses: number
  readonly signal: PointSignal
}

/** Where the process with this journal looks for its order; it is gone once it was carried out. */
export const orderFileOf = (journal: string): string => `${journal}.order`

/** Lists the files into which the process with this journal has planted its mutant. */
export const plantedFileOf = (journal: string): string => `${journal}.planted`

export interface JournalLine {
  readonly atMs: number
  readonly point: string
  /** What the verifier did to the process here. */
  readonly signal?: PointSignal
}

export type PointSignal = 'SIGKILL' | 'SIGSTOP'

/** The last line of a killed process may be torn. */
export function parseJournal(text: string): JournalLine[] {
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as JournalLine)
}
