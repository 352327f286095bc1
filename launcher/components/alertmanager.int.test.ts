import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { freePort } from '../processes/ports.ts'
import { waitUntil } from '../processes/wait.ts'
import { programsOrSkip } from '../testing/programs.ts'
import { superviseRun } from '../testing/supervised-run.ts'
import { startAlertmanager } from './alertmanager.ts'

type Labels = Readonly<Record<string, string>>

test('an alert suppresses its consequences and no other alerts', async t => {
  if (programsOrSkip(t, 'alertmanager') === undefined) return
  const { supervisor, directories } = superviseRun(t, 'test')
  const { address } = await startAlertmanager({
    ...{ supervisor, dataDirectory: join(directories.data, 'alertmanager') },
    ...{ port: await freePort(), webhookURL: undefined }
  })
  const url = `${address}/api/v2/alerts`
  const fire = async (...alerts: Labels[]) => {
    const body = JSON.stringify(alerts.map(labels => ({ labels })))
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    assert.equal(answer.status, 200, await answer.text())
  }
  /** Returns the suppressed alerts. */
  const quiet = async () => {
    const alerts = (await (await fetch(`${url}?active=false`)).json()) as { labels: Labels }[]
    return alerts.map(({ labels: { alertname, group = '', topic = '' } }) => `${alertname} ${group} ${topic}`.trim())
  }
  const becomes = async (expected: readonly string[]) => {
    const isSo = async () => isDeepStrictEqual(new Set(await quiet()), new Set(expected))
    await waitUntil(isSo, { what: expected.join(', '), deadlineMs: 10_000 }).catch(async error => {
      throw new Error(`${error.message}; suppressed alerts: ${(await quiet()).join(', ')}`)
    })
  }
  const lag = (group: string, topic: string) => ({ alertname: 'OrderlyConsumerLagHigh', group, topic })

  await fire(lag('orders-created', 'orders.created'), lag('notifications', 'inventory.reserved'))
  await fire({ alertname: 'OrderlyServiceDown', job: 'inventory' })
  await becomes([])
  await fire({ alertname: 'OrderlyHangingTransaction', kind: 'open', topic: 'orders.created' })
  await becomes(['OrderlyConsumerLagHigh orders-created orders.created'])
  await fire({ alertname: 'OrderlyAuditStopped' })
  await fire({ alertname: 'OrderlyBrokerDown' }, { alertname: 'OrderlyNoOrders' })
  await becomes([
    ...[
      'OrderlyConsumerLagHigh orders-created orders.created',
      'OrderlyConsumerLagHigh notifications inventory.reserved'
    ],
    ...['OrderlyNoOrders', 'OrderlyAuditStopped']
  ])
})
