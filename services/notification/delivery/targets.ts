import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@orderly/service-kit'
import type { Recipient } from '../domain/recipients.ts'
import type { DeliveryStore } from '../store/delivery-store.ts'
import type { StoredEndpoint } from '../store/endpoints.ts'
import { type DeliveryLoop, wakeAll } from './delivery-loop.ts'
import type { Sink } from './sink.ts'

/**
 * The targets of notifications, each with a delivery loop.
 *
 * - Sinks from the settings belong to the operator. They receive the notifications of all callers
 *   while the process runs.
 * - Endpoints in the database are reloaded every `refreshMs`. A new endpoint gets a loop. A changed
 *   endpoint gets another loop after its former loop has ended. The loop of a removed endpoint
 *   ends. A disabled endpoint receives nothing more, and its loop skips pending deliveries.
 * - An invalid endpoint is logged once and left out. While the database cannot be read, the known
 *   endpoints stay.
 *
 * One query every `pollMs` wakes the loops of all targets with due deliveries, however many targets
 * there are.
 */
export interface Targets {
  recipients(): readonly Recipient[]
  /** Returns the names of targets that have a loop or will get one. */
  names(): readonly string[]
  /** Stops all loops. @param graceMs maximum time to wait for deliveries in flight */
  stop(graceMs: number): Promise<void>
}

export interface TargetsOptions {
  readonly configured: readonly Sink[]
  readonly readEndpoints: () => Promise<readonly StoredEndpoint[]>
  readonly createSink: (endpoint: StoredEndpoint) => Sink | { readonly problem: string }
  readonly startLoop: (sink: Sink) => DeliveryLoop
  /** The running loop of each target, which this module maintains. */
  readonly loops: Map<string, DeliveryLoop>
  readonly deliveryStore: Pick<DeliveryStore, 'register' | 'dueTargets'>
  readonly refreshMs: number
  readonly pollMs: number
  readonly logger: Logger
}

interface StoredTarget {
  /** The endpoint as stored, for comparison; never logged. */
  readonly definition: string
  /** Undefined for an invalid endpoint. */
  readonly running: Promise<RunningTarget> | undefined
  readonly recipient: Recipient | undefined
}

interface RunningTarget {
  readonly sink: Sink
  readonly loop: DeliveryLoop
}

/** Starts all targets. Resolves when the endpoints have been read for the first time. */
export async function startTargets(options: TargetsOptions): Promise<Targets> {
  const { configured, readEndpoints, createSink, startLoop, loops, deliveryStore, logger } = options
  const stopping = new AbortController()
  const ofSettings: readonly Recipient[] = configured.map(({ target }) => ({ target }))
  let stored = new Map<string, StoredTarget>()
  let recipients = ofSettings
  /** Targets whose former loop must end before the next one starts. */
  const ending = new Map<string, Promise<void>>()
  let lastGraceMs: number | undefined
  let isUnreadable = false

  function apply(endpoints: readonly StoredEndpoint[]): void {
    const next = new Map<string, StoredTarget>()
    for (const endpoint of endpoints) {
      const { target, caller, isDisabled, ...rest } = endpoint
      const definition = JSON.stringify(rest)
      const known = stored.get(target)
      const running = known?.definition === definition ? known.running : replace(endpoint, known)
      const recipient = running === undefined || isDisabled ? undefined : { target, caller }
      next.set(target, { definition, running, recipient })
    }
    for (const [target, known] of stored) if (!next.has(target)) end(target, known)
    stored = next
    recipients = [...ofSettings, ...[...stored.values()].flatMap(({ recipient }) => recipient ?? [])]
  }

  function replace(endpoint: StoredEndpoint, former: StoredTarget | undefined): Promise<RunningTarget> | undefined {
    const { target } = endpoint
    if (former !== undefined) end(target, former)
    const isTaken = configured.some(sink => sink.target === target)
    const sink = isTaken ? { problem: 'the settings have an endpoint of the same name' } : createSink(endpoint)
    if ('problem' in sink) {
      const event = 'webhook_endpoint_invalid'
      logger.warn({ event, target, problem: sink.problem }, 'webhook endpoint is invalid and not used')
      return undefined
    }
    const running = (ending.get(target) ?? Promise.resolve()).then(() => begin(sink))
    running.catch(error => {
      const event = 'webhook_endpoint_not_started'
      logger.warn({ event, error, target }, 'failed to start deliveries to a webhook endpoint, retrying')
      const known = stored.get(target)
      if (known?.running === running) stored.set(target, { ...known, definition: '' })
    })
    return running
  }

  async function begin(sink: Sink): Promise<RunningTarget> {
    const { target } = sink
    await deliveryStore.register([sink])
    const loop = startLoop(sink)
    loops.set(target, loop)
    logger.info({ target }, 'webhook endpoint in use')
    return { sink, loop }
  }

  function end(target: string, { running }: StoredTarget): void {
    if (running === undefined) return
    const ended = running
      .then(async ({ sink, loop }) => {
        loops.delete(target)
        await loop.stop(lastGraceMs ?? sink.timeoutMs)
        await sink.close()
        logger.info({ target }, 'deliveries to a webhook endpoint stopped')
      })
      .catch(() => {}) // it was not started
      .finally(() => {
        if (ending.get(target) === ended) ending.delete(target)
      })
    ending.set(target, ended)
  }

  async function refresh(): Promise<void> {
    try {
      apply(await readEndpoints())
      if (isUnreadable) logger.info({}, 'webhook endpoints are readable again')
      isUnreadable = false
    } catch (error) {
      const event = 'webhook_endpoints_unreadable'
      if (!isUnreadable) logger.warn({ event, error }, 'failed to read webhook endpoints, keeping the known ones')
      isUnreadable = true
    }
  }

  async function poll(): Promise<void> {
    try {
      wakeAll(loops, await deliveryStore.dueTargets())
    } catch (error) {
      logger.warn({ event: 'due_deliveries_unreadable', error }, 'failed to read due deliveries, retrying')
    }
  }

  async function repeat(everyMs: number, work: () => Promise<void>): Promise<void> {
    const { signal } = stopping
    while (!signal.aborted) {
      await delay(everyMs, undefined, { signal }).catch(() => {})
      if (!signal.aborted) await work()
    }
  }

  await deliveryStore.register(configured)
  apply(await readEndpoints())
  for (const sink of configured) loops.set(sink.target, startLoop(sink))
  const repeating = [repeat(options.refreshMs, refresh), repeat(options.pollMs, poll)]

  return {
    recipients: () => recipients,
    names() {
      const usable = [...stored].filter(([, { running }]) => running !== undefined)
      return [...configured.map(({ target }) => target), ...usable.map(([target]) => target)]
    },
    async stop(graceMs) {
      lastGraceMs = graceMs
      stopping.abort()
      await Promise.all(repeating)
      for (const [target, known] of stored) end(target, known)
      const own = configured.flatMap(({ target }) => loops.get(target) ?? [])
      await Promise.all([...own.map(loop => loop.stop(graceMs)), ...ending.values()])
    }
  }
}
