/** Our stage. The points at which it is held are its failpoints and its `process`. */
import { subscribe } from 'node:diagnostics_channel'
import { bytesCodec, runStage, stageChannelName } from '@orderly/kafka'
import { readCommitted } from '@orderly/kafka/testing'
import { committed, fail, hold, received, report, sessionTimeoutMs, task } from './worker.mjs'

const connection = { brokers: task.brokers, clientID: 'comparison' }
const silent = { debug() {}, info() {}, warn() {}, error() {} }

if (task.mode === 'read') {
  let count = 0
  await readCommitted(connection, task.input, records => {
    for (const { value } of records.slice(count)) report({ event: 'value', value: String(value) })
    count = records.length
    return false
  }).catch(() => {})
} else {
  let isHeld = false
  if (task.holdAt === 'before-commit')
    subscribe(stageChannelName, ({ point }) => {
      if (point !== 'before-commit' || isHeld) return
      isHeld = true
      report({ event: 'held' })
      // A failpoint is synchronous, so the process stops itself here; the scenario continues it.
      process.kill(process.pid, 'SIGSTOP')
    })
  const stage = runStage(
    {
      name: 'comparison',
      group: task.group,
      inputs: [{ name: task.input, eventType: 'Text', codec: bytesCodec }],
      async process(records) {
        received()
        await hold('processing')
        return records.map(({ key, event }) => ({ topic: task.output, key, value: event, headers: {} }))
      }
    },
    {
      connection,
      transactionalID: task.transactionalID,
      sessionTimeoutMs,
      isTransient: () => false,
      logger: silent,
      observer: {
        assigned: () => report({ event: 'joined' }),
        committed: ({ timestampsMs }) => committed([...timestampsMs])
      }
    }
  )
  await stage.finished.catch(fail)
}
