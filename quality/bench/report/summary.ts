import { figure, isMet, type ScenarioReport, type Target } from './scenario-report.ts'

interface Introduction {
  readonly question: string
  readonly reading: string
}

const ratios = 'a ratio compares both in the same round; above 1 ours has the higher rate. CPU is the time per record'

const introductions: Readonly<Record<string, Introduction>> = {
  codec: {
    question: 'How long does encoding and decoding an event take, compared with JSON?',
    reading: 'the factor behind × is the time relative to JSON; below 1 Avro is faster'
  },
  stage: {
    question: 'How many records a second does the exactly-once stage process, compared with other Kafka clients?',
    reading: ratios
  },
  order: {
    question:
      'How many orders a second does `POST /orders` accept, compared with Go and Java, and what does a feature cost?',
    reading: ratios
  },
  inventory: {
    question: 'How many orders a second does the reservation with Postgres decide, compared with Java and Go?',
    reading: ratios
  },
  'end-to-end': {
    question: 'How long does an order take from its request to its outcome and to its notification?',
    reading: 'p99 is the time that 99 of 100 orders do not exceed, counted from when each request was due'
  },
  load: {
    question: 'What happens to lag, memory and CPU time while `POST /orders` gets as many orders as it accepts?',
    reading: '*waited at most* is the largest lag in records; *drained after* is the time until no record waited'
  },
  scale: {
    question: 'Does the cost of an order stay the same with more instances, more partitions and larger backlogs?',
    reading: 'compare the CPU time of an order between the rows; *machine* shows how fast the machine was meanwhile'
  },
  capacity: {
    question: 'What do 100,000 and 1 million orders a second need, and which part is full first?',
    reading: 'the figures are computed from measured costs, not measured on a cluster; *planned* is half busy'
  }
}

/**
 * Returns the five lines with which a report begins: question, result, targets, how to read the
 * figures, and the machine.
 */
export function summaryOf(name: string, { result, targets = [] }: ScenarioReport, machine: string): string {
  const { question, reading } = introductions[name] ?? { question: `What does \`${name}\` measure?`, reading: ratios }
  return [
    `- **Question**: ${question}`,
    `- **Result**: ${result ?? describeMeasured(targets)}.`,
    `- **Targets**: ${countMet(targets)}.`,
    `- **How to read**: ${reading}.`,
    `- **Machine**: ${machine.split('. ')[0]}.`
  ].join('\n')
}

function describeMeasured(targets: readonly Target[]): string {
  const most = targets.slice(0, 3)
  const measured = most.map(
    ({ what, measured, unit }) => `${what} = ${figure(measured)}${unit === undefined ? '' : ` ${unit}`}`
  )
  return measured.length === 0 ? 'see the tables' : measured.join('; ')
}

function countMet(targets: readonly Target[]): string {
  if (targets.length === 0) return 'none'
  const missed = targets.filter(target => !isMet(target))
  const met = `${targets.length - missed.length} of ${targets.length} met`
  return missed.length === 0 ? met : `${met}; causes of the missed ones are below the table`
}
