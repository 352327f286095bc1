import { markdownTable } from '@orderly/command-line'
import { figure, figureTable } from '../report/scenario-report.ts'
import type { Contestant, MissingContestant } from './contestants.ts'
import type { Figures } from './measure.ts'
import type { Outcome } from './scenarios.ts'

export interface Comparison {
  readonly contestants: readonly (Contestant | MissingContestant)[]
  readonly scenarios: readonly { readonly name: string; readonly question: string }[]
  readonly rounds: number
  /** Outcomes of the rounds by scenario and contestant. */
  readonly outcomes: ReadonlyMap<string, ReadonlyMap<string, readonly Outcome[]>>
  readonly figures: ReadonlyMap<Contestant, Figures>
  /** Commit, versions and processors. */
  readonly machine: string
}

const folder = '../../quality/bench/clients'

/** Known causes of failures by scenario and client, found in the client's code. Shown only for failures. */
const causes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'aborted records': {
    '@platformatic/kafka':
      'its filter keeps one aborted range for each producer and fetch, so only the last aborted transaction is hidden'
  },
  'stable offsets': {
    '@platformatic/kafka':
      'its `OffsetFetch` requests have `requireStable: false`, so it reads the offsets before the open commit'
  }
}

/** Returns `docs/explanation/client-comparison.md`. */
export function comparisonPage({ contestants, scenarios, rounds, outcomes, figures, machine }: Comparison): string {
  const found = contestants.filter(own => 'version' in own)
  const title = ({ name, version, source }: Contestant) => `[${name}](${folder}/${source}) ${version}`
  const missing = contestants.flatMap(own => ('missing' in own ? [`- ${own.name}: ${own.missing}`] : []))
  const measured = [...figures].map(([contestant, own]) => [
    contestant.name,
    ...[own.recordsPerSecond, own.cpuMicroseconds, own.batchRecords, own.p50Ms, own.p99Ms].map(figure)
  ])
  const rows = scenarios.map(({ name, question }) => [
    `**${name}**. ${question}`,
    ...found.map(contestant => cell(name, contestant.name, outcomes.get(name)?.get(contestant.name) ?? []))
  ])
  return `# Kafka clients, compared

\`npm run compare:clients\` runs the same scenarios with several clients on the same broker, and writes this page. Each
client runs a separate exactly-once loop, which consumes, produces, and commits outputs and offsets in one transaction.
The loop follows the guide of the client. Settings that the guide does not mention are used if they help, and a comment
in the loop says why. A supervisor starts a process that fails again after a second. Only the output counts.

${machine}

## Scenarios

A loop copies 100 records from 4 partitions, and is disturbed once ([code](${folder}/scenarios.ts)). It passes if a
committed reader then sees each record once. Each scenario ran ${rounds === 1 ? 'once' : `${rounds} times`}, and a client
passes if it passed each time. Notes say what was observed.

${markdownTable(['scenario', ...found.map(title)], rows)}
${missing.length === 0 ? '' : `\nNot installed here, so not compared:\n\n${missing.join('\n')}\n`}
How to read it:

- Session and rebalance timeouts are 6 s, the transaction timeout is 25 s. \`@orderly/kafka\` has no settings for the last
  two: they are 30 s and 10 s. All records must be written within 2 min.
- **aborted records** has two aborted transactions of one producer between three committed ones.
- **stable offsets** and **rebalance** give the partitions to a process with another transactional id. The Java client,
  the clients of Confluent and Platformatic, and \`@orderly/kafka\` commit with the generation of their group
  ([KIP-447](https://cwiki.apache.org/confluence/display/KAFKA/KIP-447%3A+Producer+scalability+for+exactly+once+semantics)).
  kafkajs has no API for that. Its [guide](https://kafka.js.org/docs/transactions#choosing-a-transactionalid) derives the
  transactional id from the input partition, so its loop has one producer for each partition, and the new owner fences the
  former one. With one producer for all partitions, kafkajs failed both scenarios.
- **ambiguous commit** loses the answer to a commit in a proxy, and breaks the connection.
- \`@platformatic/kafka\` passes **restart** and **zombie** only with \`producerId: -1n\` and \`producerEpoch: -1\`, which its
  guide does not mention. With its defaults, the broker refuses a transactional id that it knows.
- A loop that restarted or joined the group again is not worse than one that did not: both are ways to recover.
- Scenarios depend on timing, so a pass does not prove that there is no defect. In one of seven runs of **zombie**, on a
  machine with a load of 50, \`@platformatic/kafka\` wrote 50 of 200 records twice.

## Throughput and latency

Medians of ${rounds} rounds, in which the clients take turns ([code](${folder}/measure.ts)). Records have 200 bytes.
Throughput and CPU time are those of a backlog; CPU time is that of the client, without the broker. Latency is the time
from the timestamp of a record to the end of its commit, at 200 records/s. The first quarter of each run warms up and is
not measured. Transactions have at most 1,000 records, except those of kafkajs, which have one fetched batch of a
partition each.

${figureTable(
  ['client', 'records/s', 'CPU per record, µs', 'records per transaction', 'latency p50, ms', 'latency p99, ms'],
  measured
)}
`
}

function cell(scenario: string, client: string, outcomes: readonly Outcome[]): string {
  if (outcomes.length === 0) return 'not run'
  const failed = outcomes.filter(({ passed }) => !passed)
  const notes = [...new Set((failed.length > 0 ? failed : outcomes).map(({ note }) => note))].filter(Boolean)
  if (failed.length === 0) return ['pass', ...notes.slice(0, 1)].join(': ')
  const verdict = `**fail** ${failed.length} of ${outcomes.length}`
  const cause = causes[scenario]?.[client]
  return [verdict, [...notes, ...(cause === undefined ? [] : [`cause: ${cause}`])].join('; ')]
    .filter(Boolean)
    .join(': ')
}
