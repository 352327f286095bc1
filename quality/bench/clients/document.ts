import { markdownTable } from '@orderly/command-line'
import { figure, figureTable } from '../report/scenario-report.ts'
import type { Contestant, MissingContestant } from './contestants.ts'
import type { Figures } from './measure.ts'
import type { Outcome } from './scenarios.ts'

export interface Comparison {
  readonly contestants: readonly (Contestant | MissingContestant)[]
  readonly scenarios: readonly { readonly name: string; readonly question: string }[]
  /** Outcomes by scenario and contestant. */
  readonly outcomes: ReadonlyMap<string, ReadonlyMap<string, Outcome>>
  readonly figures: ReadonlyMap<Contestant, Figures>
  /** Commit, versions and processors. */
  readonly machine: string
}

const folder = '../../quality/bench/clients'

/** Returns `docs/explanation/client-comparison.md`. */
export function comparisonPage({ contestants, scenarios, outcomes, figures, machine }: Comparison): string {
  const found = contestants.filter(own => 'version' in own)
  const title = ({ name, version, source }: Contestant) => `[${name}](${folder}/${source}) ${version}`
  const cell = (scenario: string, { name }: Contestant) => {
    const outcome = outcomes.get(scenario)?.get(name)
    if (outcome === undefined) return 'not run'
    return [outcome.passed ? 'pass' : '**fail**', outcome.note].filter(Boolean).join(': ')
  }
  const missing = contestants.flatMap(own => ('missing' in own ? [`- ${own.name}: ${own.missing}`] : []))
  const measured = [...figures].map(([contestant, own]) => [
    contestant.name,
    ...[own.recordsPerSecond, own.cpuMicroseconds, own.p50Ms, own.p99Ms].map(figure)
  ])
  return `# Kafka clients, compared

\`npm run compare:clients\` runs the same scenarios with several clients on the same broker, and writes this page. Each
client runs its own exactly-once loop, in the form that its guide recommends: consume, produce, and commit outputs and
offsets in one transaction. A process that fails is started again after a second, as a
supervisor does.

${machine}

## Scenarios

A loop copies 100 records from 4 partitions, and is disturbed once
([code](${folder}/scenarios.ts)). It passes if a committed reader then sees each record once.

${markdownTable(
  ['scenario', ...found.map(title)],
  [...scenarios.map(({ name, question }) => [`**${name}**. ${question}`, ...found.map(own => cell(name, own))])]
)}
${missing.length === 0 ? '' : `\nNot installed here, so not compared:\n\n${missing.join('\n')}\n`}
How to read it:

- Session and rebalance timeouts are 6 s, the transaction timeout is 25 s, for all clients. A scenario has 40 s.
- **stable offsets** needs a fetch of offsets that waits for open transactions, and **rebalance** a commit with the
  generation of the group (both [KIP-447](https://cwiki.apache.org/confluence/display/KAFKA/KIP-447%3A+Producer+scalability+for+exactly+once+semantics)).
  kafkajs has no API for either: it sends offsets without a generation.
- **ambiguous commit** drops the answer to a commit in a proxy, and breaks the connection.
- Each scenario ran once. Some failures depend on timing, so a pass proves less than a failure.

## Throughput and latency

Medians of the rounds, in which the clients take turns ([code](${folder}/measure.ts)). Records have 200 bytes. Throughput
and CPU time are those of a backlog, latency is the time from the timestamp of a record to its commit at 100 records/s.
Sizes of batches differ: each client has its defaults, and transactions of at most 1,000 records where they must be
formed by the loop.

${figureTable(['client', 'records/s', 'CPU per record, µs', 'latency p50, ms', 'latency p99, ms'], measured)}
`
}
