import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { partitionKey } from '@orderly/kafka'
import type { Poll, ReaderRun, ReadRecord } from '../history/reads.ts'

/** Task of `orderly-reader.ts`. */
export interface ReaderJob {
  readonly brokers: readonly string[]
  readonly topics: readonly string[]
  /** `follow` reads with one fetcher; `resume` reads to the end again and again. */
  readonly mode: 'follow' | 'resume'
}

/**
 * A committed reader in a separate process. On standard output it prints a line `poll` with the time
 * after each poll that returned records, then one line per record: topic, partition, offset, digest
 * of the value (empty for null) and event id. Fields are separated by tabs. On standard input it
 * receives the offsets up to which it must read before it ends.
 */
export interface ReaderProcess {
  /**
   * Makes it read to these offsets, by `partitionKey`, and end.
   * @param isTooLate returns true when it no longer has to be waited for
   */
  finish(lastOffsets: ReadonlyMap<string, number>, isTooLate: () => boolean): Promise<ReaderRun>
  stop(): Promise<void>
}

export interface ReaderCommand {
  readonly reader: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

const errorBytes = 2_000
const pollMs = 100

export function startReader({ reader, command, args, env }: ReaderCommand): ReaderProcess {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: env ?? process.env })
  const polls = new PollParser()
  let complaints = ''
  let isRunning = true
  let isStopped = false
  let failure: string | undefined
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-errorBytes)
  })
  child.stdin.on('error', () => {}) // the reader has exited, which its exit code reports
  const lines = createInterface({ input: child.stdout }).on('line', line => polls.add(line))
  const read = new Promise<void>(resolve => lines.once('close', resolve))
  const exited = new Promise<void>(resolve => {
    const onEnd = (reason: string | undefined) => {
      isRunning = false
      if (!isStopped) failure = reason
      resolve()
    }
    child.once('error', error => onEnd(error.message))
    child.once('close', code => onEnd(code === 0 ? undefined : complaints.trim() || `exit code ${code}`))
  })
  async function stop(): Promise<void> {
    isStopped = true
    if (isRunning) child.kill('SIGKILL')
    await exited
  }
  return {
    async finish(lastOffsets, isTooLate) {
      child.stdin.write(`${formatOffsets(lastOffsets)}\n`)
      while (isRunning && !isTooLate()) await new Promise(resolve => setTimeout(resolve, pollMs))
      await stop()
      await read
      return { reader, polls: polls.polls, ...(failure !== undefined && { failure }) }
    },
    stop
  }
}

export function formatOffsets(offsets: ReadonlyMap<string, number>): string {
  return [...offsets].map(([name, offset]) => `${name}=${offset}`).join(' ')
}

export function parseOffsets(line: string): ReadonlyMap<string, number> {
  const parts = line.split(' ').filter(part => part !== '')
  return new Map(
    parts.map(part => [part.slice(0, part.lastIndexOf('=')), Number(part.slice(part.lastIndexOf('=') + 1))])
  )
}

/** Collects the polls of a reader from the lines of its output. */
export class PollParser {
  readonly polls: Poll[] = []
  readonly #current = new Map<string, ReadRecord[]>()
  #atMs = 0

  add(line: string): void {
    const [topic = '', partition, offset, digest = '', eventID = ''] = line.split('\t')
    if (topic === 'poll') {
      this.#atMs = Number(partition)
      this.#current.clear()
      return
    }
    const own = { topic, partition: Number(partition) }
    const name = partitionKey(own)
    let records = this.#current.get(name)
    if (records === undefined) {
      records = []
      this.#current.set(name, records)
      this.polls.push({ atMs: this.#atMs, ...own, records })
    }
    records.push([Number(offset), digest === '' ? null : digest, eventID])
  }
}
