import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createOrderClient, OrderApiError, type OrderClient } from '@orderly/client'
import { samplesDirectory } from '../directories.ts'
import type { SupervisedProcess } from '../processes/supervisor.ts'
import { waitUntil } from '../processes/wait.ts'
import { readNotifications } from './notifications.ts'
import { type Answer, judge, type SampleOrder, type SentNotification, unexpected, type Verdict } from './verdicts.ts'

export interface OrdersReport {
  readonly verdicts: readonly Verdict[]
  readonly unexpected: readonly SentNotification[]
}

/** Places the sample orders one after the other and waits for the notifications. */
export async function runOrders(
  orderURL: string,
  notification: SupervisedProcess,
  signal: AbortSignal
): Promise<OrdersReport> {
  const samples: SampleOrder[] = JSON.parse(await readFile(join(samplesDirectory, 'orders.json'), 'utf8'))
  const client = createOrderClient({ baseURL: orderURL })
  const answers: Answer[] = []
  for (const sample of samples) answers.push(await place(client, sample, signal))

  const accepted = answers.flatMap(({ orderID }) => orderID ?? [])
  const allReported = async () => {
    const reported = new Set((await readNotifications(notification.logFile)).map(({ orderID }) => orderID))
    return accepted.every(orderID => reported.has(orderID))
  }
  // After the deadline, the verdicts report missing notifications.
  const what = 'the last notification'
  await waitUntil(allReported, { what, deadlineMs: 30_000, intervalMs: 20, signal }).catch(() =>
    signal.throwIfAborted()
  )

  const sent = await readNotifications(notification.logFile)
  return {
    verdicts: samples.map((sample, index) => judge(sample, answers[index] as Answer, sent)),
    unexpected: unexpected(answers, sent)
  }
}

async function place(client: OrderClient, { order }: SampleOrder, signal: AbortSignal): Promise<Answer> {
  const requestedAtMs = Date.now()
  try {
    const { orderID } = await client.placeOrder(order, { signal })
    return { status: 202, orderID, requestedAtMs }
  } catch (error) {
    if (error instanceof OrderApiError && error.status !== undefined) return { status: error.status, requestedAtMs }
    throw error
  }
}
