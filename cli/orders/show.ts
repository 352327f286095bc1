import { formatDuration, formatTime } from '@orderly/command-line'
import { type Command, Failure } from '../command-line/command.ts'
import { readRecords, readTables } from './sources.ts'
import { timelineOf } from './timeline.ts'

export const showOrder: Command = {
  name: 'orders show',
  summary: 'show the timeline of an order: what happened, when, and where it is recorded',
  argument: 'ORDER_ID',
  examples: ['orders show 0198c0de-0000-7000-8000-000000000001'],
  options: {
    quick: { type: 'boolean', description: 'read only the tables; reading long topics takes time' }
  },
  async run({ argument: orderID = '', options, output, connections, signal }) {
    const [tables, records] = await Promise.all([
      readTables(connections.database(), orderID),
      options.flag('quick') ? [] : readRecords(connections.kafka(), orderID, signal)
    ])
    const timeline = timelineOf(orderID, tables, records)
    if (timeline === undefined) {
      throw new Failure(`Order ${orderID} is unknown: check the id. An order that was answered with 4xx is not stored.`)
    }
    output.json({
      ...timeline,
      events: timeline.events.map(({ atMs, ...own }) => ({ at: formatTime(atMs), ...own })),
      audits: tables.audits
    })
    output.line(`order   ${timeline.orderID}`)
    output.line(`caller  ${timeline.caller ?? '-'}`)
    output.line(`user    ${timeline.userID ?? '-'}`)
    output.line(`status  ${timeline.status ?? 'not projected yet'}`)
    output.line(`trace   ${timeline.traceID ?? '-'}`)
    output.line()
    const firstMs = timeline.events[0]?.atMs
    output.table(
      [
        { title: 'AT', value: ({ atMs }) => formatTime(atMs) },
        {
          title: 'AFTER',
          value: ({ atMs }) =>
            atMs === undefined || firstMs === undefined ? undefined : formatDuration(atMs - firstMs),
          isNumber: true
        },
        { title: 'WHAT', value: ({ what }) => what },
        { title: 'WHERE', value: ({ where }) => where },
        { title: 'DETAIL', value: ({ detail }) => detail }
      ],
      timeline.events
    )
    return 0
  }
}
