// Shared by the verifier and by its modules that run inside the services.

/** Diagnostics channels on which stages and keyed orders publish their failpoints. */
export const channels = ['orderly:stage', 'orderly:keyed-order'] as const

export const environmentNames = {
  journal: 'VERIFY_JOURNAL',
  mutant: 'VERIFY_MUTANT'
} as const

/** Signal that a process sends to itself at its n-th pass of a failpoint. */
export interface PointOrder {
  readonly point: string
  readonly afterPasses: number
  readonly signal: FailpointSignal
}

/**
 * Returns the file with the `PointOrder` of a process; the process deletes it when it executes it.
 */
export const orderFileOf = (journal: string): string => `${journal}.order`

/** Returns the file in which a process lists the source files into which it planted its mutant. */
export const plantedFileOf = (journal: string): string => `${journal}.planted`

/** Returns the file in which a process lists the numbers of the patches that it has executed. */
export const executedFileOf = (journal: string): string => `${journal}.executed`

export interface JournalLine {
  readonly atMs: number
  readonly point: string
  /** Signal that the process sent to itself at this failpoint. */
  readonly signal?: FailpointSignal
}

export type FailpointSignal = 'SIGKILL' | 'SIGSTOP'

/** Parses a journal without its last line if that is incomplete because the process was killed. */
export function parseJournal(text: string): JournalLine[] {
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as JournalLine)
}
