/**
 * Preloaded into services (`node --import`) by the verifier only. Records in a journal when the
 * process passes a failpoint. If the verifier has written a `PointOrder` for this failpoint, the
 * process kills or freezes itself there (SIGKILL or SIGSTOP).
 */
import { subscribe } from 'node:diagnostics_channel'
import { existsSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { channels, environmentNames, type JournalLine, orderFileOf, type PointOrder } from './journal.ts'

const journalFile = process.env[environmentNames.journal]

if (journalFile !== undefined) {
  const journal = openSync(journalFile, 'a')
  const orderFile = orderFileOf(journalFile)
  let order: PointOrder | undefined
  let passesLeft = 0
  const onPoint = (message: unknown) => {
    const { point } = message as { point: string }
    if (!existsSync(orderFile)) order = undefined
    else if (order === undefined) {
      order = JSON.parse(readFileSync(orderFile, 'utf8')) as PointOrder
      passesLeft = order.afterPasses
    }
    const signal = order !== undefined && point === order.point && --passesLeft <= 0 ? order.signal : undefined
    const line: JournalLine = { atMs: Date.now(), point, ...(signal && { signal }) }
    writeSync(journal, `${JSON.stringify(line)}\n`)
    if (signal === undefined) return
    rmSync(orderFile, { force: true })
    process.kill(process.pid, signal)
  }
  for (const channel of channels) subscribe(channel, onPoint)
}
