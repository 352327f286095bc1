import { connectLocalTopics } from '../orders/local-topics.ts'
import type { Task } from '../peers/worker.ts'
import { answerTasks } from './answer-tasks.ts'
import { reserveAll } from './reserve-all.ts'
import { runUntil } from './run-until.ts'

const topics = await connectLocalTopics()

/** Runs our stage with the delivery guarantee of the task. */
await answerTasks(async (task: Task) => {
  const { brokers, input, output, group, records, batch, delivery } = task as {
    brokers: string
    input: string
    output: string
    group: string
    records: number
    batch: number
    delivery: 'exactly-once' | 'at-least-once'
  }
  const reserved = { ...topics.inventoryReserved, name: output }
  return runUntil(
    {
      name: 'bench',
      group,
      inputs: [{ ...topics.ordersCreated, name: input }],
      recordsInACall: 1_000,
      process: async orders =>
        orders.map(({ event, headers }) => reserveAll(reserved, event, headers.text('traceparent')))
    },
    records,
    {
      connection: { brokers: [brokers], clientID: 'bench' },
      delivery,
      transactionalID: group,
      maxBatchRecords: batch
    }
  )
})
