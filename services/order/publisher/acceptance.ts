import { acceptanceReadMs, acceptanceTopic, pausedUntilMsOf } from '@orderly/contracts'
import { createTopicReader, type KafkaConnection, KafkaError } from '@orderly/kafka'
import type { Logger } from '@orderly/service-kit'

export interface Acceptance {
  /** @throws KafkaError `ACCEPTANCE_PAUSED`, which is answered with 503, while it is paused */
  check(): void
  stop(): Promise<void>
}

/**
 * Polls pauses of acceptance (contracts/acceptance.ts). While the topic is unreadable, the last
 * known pause applies.
 */
export function watchAcceptance(connection: KafkaConnection, logger: Pick<Logger, 'info' | 'warn'>): Acceptance {
  const reader = createTopicReader(connection, [acceptanceTopic])
  const stopping = new AbortController()
  let pausedUntilMs = 0
  let isUnreadable = false

  async function read(): Promise<void> {
    try {
      let newestMs = pausedUntilMs
      await reader.readOn(({ value }) => {
        newestMs = pausedUntilMsOf(value)
      }, stopping.signal)
      if (newestMs !== pausedUntilMs) logger.info({ pausedUntilMs: newestMs }, 'order acceptance paused or resumed')
      pausedUntilMs = newestMs
      isUnreadable = false
    } catch (error) {
      if (stopping.signal.aborted || isUnreadable) return
      isUnreadable = true
      const fields = { event: 'acceptance_unreadable', error, topic: acceptanceTopic }
      logger.warn(fields, 'failed to read pauses of acceptance, keeping the last known pause')
    }
  }

  let isReading = false
  const readOn = () => {
    if (isReading) return
    isReading = true
    void read().finally(() => {
      isReading = false
    })
  }
  readOn()
  const timer = setInterval(readOn, acceptanceReadMs)
  return {
    check() {
      if (Date.now() >= pausedUntilMs) return
      throw new KafkaError('ACCEPTANCE_PAUSED', 'acceptance of orders is paused by an operator', { retryable: true })
    },
    async stop() {
      clearInterval(timer)
      stopping.abort()
      await reader.close() // ends a read that waits for a broker
    }
  }
}
