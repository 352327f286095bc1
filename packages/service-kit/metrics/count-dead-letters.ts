import { setTimeout as delay } from 'node:timers/promises'
import { followDeadLetters, type KafkaConnection } from '@orderly/kafka'
import { Gauge } from 'prom-client'
import type { ServiceContext } from '../lifecycle/service.ts'

interface CountOptions {
  readonly connection: KafkaConnection
  readonly topics: readonly string[]
  readonly everyMs?: number
}

/**
 * Counts the pending dead letters of these dead-letter topics, which the service may read, and
 * exports the counts until the service stops.
 *
 * Every instance exports the totals of a topic. They are the same for all instances and services
 * that count the topic, so queries take the maximum by topic; the count remains while one of them
 * runs. A topic that cannot be read has no series: the alert `OrderlyDeadLettersUncounted` compares
 * the series with the end offsets that the monitor exports.
 */
export function countDeadLetters(
  { logger, metrics, onStop }: Pick<ServiceContext<unknown>, 'logger' | 'metrics' | 'onStop'>,
  { connection, topics, everyMs = 5_000 }: CountOptions
): void {
  const registers = [metrics]
  const gauge = (name: string, help: string) => new Gauge({ name, help, labelNames: ['topic'], registers })
  const waiting = gauge(
    'orderly_dead_letters_waiting',
    'Pending dead letters of a topic, neither replayed nor dropped; take the maximum over instances and services.'
  )
  const oldestAge = gauge(
    'orderly_dead_letters_oldest_age_seconds',
    'Age of the oldest record among pending dead letters; 0 if none is pending.'
  )
  const blockedKeys = gauge(
    'orderly_dead_letters_blocked_keys',
    'Blocked keys, whose later records also become dead letters.'
  )
  const follower = followDeadLetters(connection, logger)
  const stopping = new AbortController()
  const unreadable = new Set<string>()

  async function count(): Promise<void> {
    const { counts, failed } = await follower.count(topics, stopping.signal)
    const nowMs = Date.now()
    for (const gauge of [waiting, oldestAge, blockedKeys]) gauge.reset()
    for (const { topic, ...own } of counts) {
      unreadable.delete(topic)
      waiting.set({ topic }, own.waiting)
      blockedKeys.set({ topic }, own.blockedKeys)
      oldestAge.set({ topic }, own.oldestAtMs === undefined ? 0 : Math.max(0, nowMs - own.oldestAtMs) / 1_000)
    }
    for (const { topic, error } of failed) {
      if (unreadable.has(topic)) continue
      unreadable.add(topic)
      logger.warn({ error, topic, event: 'dead_letters_unreadable' }, 'failed to read a dead-letter topic, retrying')
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await count().catch(error => {
        if (stopping.signal.aborted) return
        for (const gauge of [waiting, oldestAge, blockedKeys]) gauge.reset()
        logger.warn({ error, event: 'dead_letters_uncounted' }, 'failed to count dead letters, retrying')
      })
      await delay(everyMs, undefined, { signal: stopping.signal, ref: false }).catch(() => {})
    }
  }

  const running = run()
  onStop('dead letters', async () => {
    stopping.abort()
    await follower.close() // ends a count that waits for a broker
    await running
  })
}
