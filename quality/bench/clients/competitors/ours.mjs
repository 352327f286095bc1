/** Our stage. The points at which it is held are its failpoints and its `process`. */
import { subscribe } from 'node:diagnostics_channel'
import { bytesCodec, runStage, stageChannelName } from '@orderly/kafka'
import { committed, fail, hold, report, sessionTimeoutMs, task } from './worker.mjs'

const silent = { debug() {}, info() {}, warn() {}, error() {} }

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
      await hold('processing')
      if (task.mode === 'read') {
        for (const { event } of records) report({ event: 'value', value: String(event) })
        return []
      }
      return records.map(({ key, event }) => ({ topic: task.output, key, value: event, headers: {} }))
    }
  },
  {
    connection: { brokers: task.brokers, clientID: 'comparison' },
    transactionalID: task.transactionalID,
    maxBatchRecords: 1_000,
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
