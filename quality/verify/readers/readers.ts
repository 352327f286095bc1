import { delimiter, join } from 'node:path'
import { partitionKey } from '@orderly/kafka'
import {
  classPath,
  compiledClasses,
  javaCommand,
  javaCompilerJars,
  javaWith,
  kafkaJars,
  type Supervisor
} from '@orderly/launcher'
import { isVisible } from '../checker/evidence.ts'
import { allTopics } from '../collect/topics.ts'
import type { History } from '../history/history.ts'
import type { ReaderRun } from '../history/reads.ts'
import { environmentNames } from '../preload/journal.ts'
import type { Machine } from '../run/machine.ts'
import { type ReaderCommand, type ReaderJob, startReader } from './reader-process.ts'

/**
 * Committed readers of all topics during a run: two of our library, in separate processes, and one
 * with Kafka's own Java consumer. They read through the proxies, so they see the same faults as the
 * services. Each reads from the beginning, before the first order, until it has every committed
 * record at the end. The checker compares what they returned with each other and with the final log.
 */
export interface Readers {
  /** Waits until all readers have read the visible records of the final log. */
  finish(records: History['records'], machine: Machine): Promise<ReaderRun[]>
  stop(): Promise<void>
}

export interface ReadersOptions {
  readonly supervisor: Supervisor
  readonly brokers: readonly string[]
  readonly mutant: string | undefined
  /** Folder in which the readers report whether they planted and executed a mutant. */
  readonly journals: string
  /** Prefix of the names of their files. */
  readonly label: string
}

/** Bound for reading the rest of the topics. The machine extends it. */
const finishBoundMs = 30_000

export async function startReaders(options: ReadersOptions): Promise<Readers> {
  const commands = [orderlyReader('orderly-1', 'follow', options), orderlyReader('orderly-2', 'resume', options)]
  const processes = [...commands, await javaReader('java-1', options)].map(startReader)
  return {
    async finish(records, machine) {
      const lastOffsets = lastVisible(records)
      const isTooLate = machine.startBound(finishBoundMs)
      return Promise.all(processes.map(reader => reader.finish(lastOffsets, isTooLate)))
    },
    async stop() {
      await Promise.all(processes.map(reader => reader.stop()))
    }
  }
}

function orderlyReader(
  reader: string,
  mode: ReaderJob['mode'],
  { brokers, mutant, journals, label }: ReadersOptions
): ReaderCommand {
  const job: ReaderJob = { brokers, topics: allTopics, mode }
  const plant = import.meta.resolve('../preload/plant-mutant.ts')
  return {
    reader,
    command: process.execPath,
    args: [`--import=${plant}`, join(import.meta.dirname, 'orderly-reader.ts'), JSON.stringify(job)],
    env: {
      ...process.env,
      [environmentNames.journal]: join(journals, `${label}${reader}`),
      ...(mutant !== undefined && { [environmentNames.mutant]: mutant })
    }
  }
}

async function javaReader(reader: string, { supervisor, brokers }: ReadersOptions): Promise<ReaderCommand> {
  const java = await javaWith([kafkaJars, javaCompilerJars], supervisor, text => process.stderr.write(`${text}\n`))
  const classes = await compiledClasses(supervisor, java, {
    name: 'verify-reader',
    source: join(import.meta.dirname, 'java'),
    libraries: [kafkaJars]
  })
  const path = [classes, await classPath(kafkaJars)].join(delimiter)
  const jvm = ['-Xmx96m', '-XX:TieredStopAtLevel=1', '-cp', path]
  const args = [...jvm, 'CommittedReader', brokers.join(','), allTopics.join(',')]
  return { reader, ...javaCommand(java, { name: reader, args }) }
}

function lastVisible(records: History['records']): ReadonlyMap<string, number> {
  const last = new Map<string, number>()
  for (const record of records.filter(isVisible)) {
    const name = partitionKey(record)
    last.set(name, Math.max(record.offset, last.get(name) ?? -1))
  }
  return last
}
