import { formatTime, parseMoment } from '@orderly/command-line'
import { operationLogTopic } from '@orderly/contracts'
import type { Command } from '../command-line/command.ts'
import { type LoggedStep, readOperationLog } from './operation-log.ts'

export const showLog: Command = {
  name: 'dlq log',
  summary: 'show who replayed or dropped dead letters, and when',
  examples: ['dlq log --since 3d'],
  options: {
    since: {
      type: 'string',
      placeholder: 'TIME',
      description: 'operations since this time: 2026-01-31T12:00Z, or 2h for two hours ago'
    }
  },
  async run({ options, output, connections, signal }) {
    const since = options.text('since')
    const sinceMs = since === undefined ? 0 : parseMoment(since, 'since', Date.now())
    const exists = (await connections.inspector().topics([operationLogTopic])).length > 0
    const steps = exists ? await readOperationLog(connections.kafka(), signal) : []
    const operations = summarize(steps).filter(({ atMs }) => atMs >= sinceMs)
    output.json(operations.map(({ atMs, ...own }) => ({ at: formatTime(atMs), ...own })))
    if (operations.length === 0) {
      output.line('No dead letters were replayed or dropped.')
      return 0
    }
    output.table(
      [
        { title: 'AT', value: ({ atMs }) => formatTime(atMs) },
        { title: 'WHAT', value: ({ kind }) => kind },
        { title: 'BY', value: ({ by }) => by },
        { title: 'TOPIC', value: ({ topic }) => topic },
        { title: 'REPLAYED', value: ({ replayed }) => replayed, isNumber: true },
        { title: 'DROPPED', value: ({ dropped }) => dropped, isNumber: true },
        { title: 'KEYS', value: ({ keys }) => keys, isNumber: true },
        { title: 'FILTER', value: ({ filter }) => filter || 'all' },
        { title: 'REASON', value: ({ reason }) => reason },
        { title: 'OPERATION', value: ({ operation }) => operation }
      ],
      operations
    )
    return 0
  }
}

export type LoggedOperation = Omit<LoggedStep, 'replayedDeadLetters' | 'droppedDeadLetters'>

/** Merges the steps of an operation on a topic into one, at the time of the first step. */
export function summarize(steps: readonly LoggedStep[]): LoggedOperation[] {
  const byOperation = Map.groupBy(steps, ({ operation, topic }) => `${operation} ${topic}`)
  return [...byOperation.values()].map(own => {
    const { replayedDeadLetters, droppedDeadLetters, ...first } = own[0] as LoggedStep
    const sum = (count: (step: LoggedStep) => number) => own.reduce((total, step) => total + count(step), 0)
    return {
      ...first,
      replayed: sum(({ replayed }) => replayed),
      dropped: sum(({ dropped }) => dropped),
      keys: sum(({ keys }) => keys)
    }
  })
}
