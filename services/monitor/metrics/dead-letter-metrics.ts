import type { Metrics } from '@orderly/service-kit'
import { Gauge } from 'prom-client'
import { type DeadLetterObservation, oldestAgeSeconds } from '../domain/dead-letters.ts'

/**
 * Exports the last observation of each dead-letter topic. A topic that cannot be read keeps its
 * previous values, and `orderly_dead_letters_unreadable` is 1 for it.
 */
export function deadLetterMetrics(metrics: Metrics): (observation: DeadLetterObservation) => void {
  const registers = [metrics]
  const gauge = (name: string, help: string) => new Gauge({ name, help, labelNames: ['topic'], registers })
  const waiting = gauge('orderly_dead_letters_waiting', 'Pending dead letters, neither replayed nor dropped.')
  const oldestAge = gauge(
    'orderly_dead_letters_oldest_age_seconds',
    'Age of the oldest record among pending dead letters; 0 if none is pending.'
  )
  const blockedKeys = gauge(
    'orderly_dead_letters_blocked_keys',
    'Blocked keys, whose later records also become dead letters.'
  )
  const unreadable = gauge('orderly_dead_letters_unreadable', '1 while a dead-letter topic cannot be read.')
  const known = new Set<string>()
  return ({ atMs, counts, failed }) => {
    const topics = new Set([...counts, ...failed].map(({ topic }) => topic))
    for (const topic of known) {
      if (topics.has(topic)) continue
      known.delete(topic)
      for (const each of [waiting, oldestAge, blockedKeys, unreadable]) each.remove({ topic })
    }
    for (const { topic } of failed) unreadable.set({ topic }, 1)
    for (const topic of topics) known.add(topic)
    for (const count of counts) {
      const labels = { topic: count.topic }
      unreadable.set(labels, 0)
      waiting.set(labels, count.waiting)
      oldestAge.set(labels, oldestAgeSeconds(count, atMs))
      blockedKeys.set(labels, count.blockedKeys)
    }
  }
}
