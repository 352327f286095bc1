import { traceFields } from '@orderly/service-kit'
import { messageFor } from '../domain/message.ts'
import { defineSink } from './sink.ts'

/** Sink that writes one structured line to standard output per notification. */
export const consoleSink = defineSink({
  settings: {},
  problems: () => [],
  create(_config, { logger, locale }) {
    // These lines are the output of the sink, not diagnostics, so LOG_LEVEL must not silence them.
    const lines = logger.child({}, { level: 'info' })
    return [
      {
        target: 'console',
        fingerprint: '',
        concurrency: 200,
        timeoutMs: 1_000,
        async deliver(notification, { traceparent }) {
          const { id, kind, orderID, caller, userID } = notification
          const { subject, text } = messageFor(notification, locale)
          const fields = {
            ...{ id, kind, orderID, ...(caller !== undefined && { caller }), userID },
            ...('reason' in notification && { reason: notification.reason }),
            ...{ subject, text }
          }
          lines.info({ notification: fields, ...traceFields(traceparent) }, 'notification sent')
        },
        async close() {}
      }
    ]
  }
})
