import { topicNames } from '@orderly/contracts'
import type { OutputRecord, Producer } from '@orderly/kafka'
import type { ServiceName } from '@orderly/launcher'
import type { FaultRun, PoisonRecord } from '../history/history.ts'
import { type FaultPlan, serviceOf } from '../plan/faults.ts'
import type { FailpointSignal, PointOrder } from '../preload/journal.ts'
import type { Link, LinkState } from '../proxy/proxy.ts'
import type { FaultyServer } from './faulty-server.ts'
import type { Fleet } from './fleet.ts'
import type { Servers } from './servers.ts'

export interface Injector {
  /** Starts a fault, and ends it after its duration. */
  inject(plan: FaultPlan): void
  /** Ends all faults and waits for restarts. @returns the kinds of faults since the last heal */
  heal(): Promise<readonly string[]>
  readonly faults: readonly FaultRun[]
  readonly poison: readonly PoisonRecord[]
}

export interface InjectorOptions {
  readonly fleet: Fleet
  readonly servers: Servers
  /** Producer that writes poison directly to the topics. */
  readonly producer: Producer
  readonly note: (text: string) => void
}

type Undo = () => Promise<void>

interface InFlight {
  readonly run: { -readonly [Field in keyof FaultRun]: FaultRun[Field] }
  /** Resolves when the fault is undone. */
  readonly done: Promise<void>
  end(): void
}

const linkStates: Readonly<Record<string, LinkState>> = { slow: 'slow', stall: 'stalled', cut: 'cut', mute: 'mute' }
const slowMs = 60
const mutedMs = 1_200

export function createInjector({ fleet, servers, producer, note }: InjectorOptions): Injector {
  const faults: FaultRun[] = []
  const poison: PoisonRecord[] = []
  const inFlight = new Set<InFlight>()
  const busy = new Map<string, Promise<void>>()
  /** Number of heals; a fault that was queued before a heal is not started after it. */
  let rounds = 0
  /** Kinds of faults since the last heal. */
  let recentKinds = new Set<string>()

  function inject(plan: FaultPlan): void {
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const run: InFlight['run'] = { kind: plan.kind, target: plan.target, startedAtMs: Date.now(), endedAtMs: 0 }
    if (plan.point !== undefined) run.detail = plan.point.name
    const isLink = plan.target.includes('>')
    recentKinds.add(isLink ? `${plan.kind} ${plan.target}` : plan.kind)
    const round = rounds
    const before = busy.get(plan.target)
    const work = async () => {
      // The previous fault on this target may take longer than planned.
      await before
      if (round !== rounds) return
      run.startedAtMs = Date.now()
      note(`${plan.kind} ${plan.target}${plan.point ? ` ${plan.point.name}` : ''}`)
      const undo = await begin(plan, end)
      const timer = setTimeout(end, plan.durationMs)
      await ended
      clearTimeout(timer)
      run.endedAtMs = Date.now()
      await undo()
    }
    const entry: InFlight = {
      run,
      end,
      done: work()
        .catch(error => note(`${plan.kind} ${plan.target} failed: ${error instanceof Error ? error.message : error}`))
        .finally(() => {
          if (run.endedAtMs > 0) faults.push(run)
          inFlight.delete(entry)
        })
    }
    inFlight.add(entry)
    busy.set(plan.target, entry.done)
  }

  /** Starts a fault. @param end ends the fault early. @returns a function that undoes the fault */
  async function begin(plan: FaultPlan, end: () => void): Promise<Undo> {
    const { kind, target, durationMs, point } = plan
    const service = serviceOf(target) as ServiceName
    const nothing = async () => {}
    switch (kind) {
      case 'kill':
        fleet.kill(target)
        return nothing
      case 'kill-at-point': {
        const running = point && (await fleet.order(target, orderAt(point, 'SIGKILL')))
        if (running === undefined) return nothing
        void fleet.reachesFailpoint(running, durationMs).then(end)
        return () => fleet.withdraw(running)
      }
      case 'freeze-at-point': {
        const running = point && (await fleet.order(target, orderAt(point, 'SIGSTOP')))
        if (running === undefined) return nothing
        const frozenMs = point?.frozenMs ?? 0
        const coming = fleet.reachesFailpoint(running, durationMs - frozenMs)
        void coming.then(isThere => setTimeout(end, isThere ? frozenMs : 0))
        return async () => {
          await fleet.withdraw(running)
          running.child.signal('SIGCONT')
        }
      }
      case 'mute-at-point': {
        // Freezes the process at its failpoint until its links to Kafka pass requests and no
        // answers, so that it cannot process an answer in between.
        const running = point && (await fleet.order(target, orderAt(point, 'SIGSTOP')))
        if (running === undefined) return nothing
        let isUndone = false
        void fleet.reachesFailpoint(running, durationMs - mutedMs).then(isThere => {
          // The process may reach its failpoint after the fault was undone, when nothing would open
          // the links again.
          const isMuting = isThere && !isUndone
          if (isMuting) for (const link of linksToKafka()) link.set('mute')
          running.child.signal('SIGCONT')
          setTimeout(end, isMuting ? mutedMs : 0)
        })
        return async () => {
          isUndone = true
          await fleet.withdraw(running)
          running.child.signal('SIGCONT')
          for (const link of linksToKafka()) link.set('open')
        }
      }
      case 'freeze':
      case 'freeze-past-session': {
        const child = fleet.freeze(target)
        return async () => child?.signal('SIGCONT')
      }
      case 'replace': {
        const resume = await fleet.replace(target)
        return async () => resume?.()
      }
      case 'add-instance': {
        const index = fleet.freeIndexOf(target)
        await fleet.start(target as ServiceName, index)
        return () => fleet.remove(`${target}-${index}`)
      }
      case 'remove-instance':
        await fleet.remove(target)
        return () => fleet.start(service, Number(target.slice(service.length + 1)))
      case 'kill-broker':
      case 'kill-postgres':
      case 'kill-connect':
        await serverNamed(target).kill()
        return () => serverNamed(target).restart()
      case 'restart-broker':
        await serverNamed(target).stop()
        return () => serverNamed(target).restart()
      case 'freeze-broker':
      case 'freeze-postgres':
      case 'freeze-connect':
        await serverNamed(target).freeze(durationMs)
        return () => serverNamed(target).resume()
      case 'slow':
      case 'stall':
      case 'cut':
      case 'mute': {
        const link = servers.links.get(target.slice(target.indexOf('>') + 1))
        link?.set(linkStates[kind] as LinkState, slowMs)
        return async () => link?.set('open')
      }
      case 'poison':
        void writePoison(topicNames.ordersCreated, target, plan.atMs)
        return nothing
      case 'poison-changes':
        void writePoison(topicNames.ordersChanges, target, plan.atMs)
        return nothing
      case 'heal':
        return nothing
    }
  }

  function linksToKafka(): Link[] {
    return [...servers.links].filter(([name]) => name.startsWith('kafka')).map(([, link]) => link)
  }

  function serverNamed(name: string): FaultyServer {
    const server = servers.faulty.get(name)
    if (server === undefined) throw new Error(`unknown server "${name}"`)
    return server
  }

  async function writePoison(topic: string, key: string, atMs: number): Promise<void> {
    const id = `poison-${poison.length + 1}`
    const record: OutputRecord = { topic, key, value: poisonValue(atMs), headers: { 'verify-poison': id } }
    const entry = { id, topic, key, writtenAtMs: Date.now(), acknowledged: false }
    poison.push(entry)
    await producer.send([record]).then(
      () => {
        entry.acknowledged = true
      },
      error => note(`${id} was not acknowledged: ${error.message}`)
    )
  }

  return {
    inject,
    async heal() {
      rounds++
      const all = [...inFlight]
      for (const { end } of all) end()
      const restarting = Promise.all(all.map(({ done }) => done))
      const kinds = [...recentKinds]
      recentKinds = new Set()
      await restarting
      fleet.resumeAll()
      return kinds
    },
    faults,
    poison
  }
}

function orderAt({ name, afterPasses }: NonNullable<FaultPlan['point']>, signal: FailpointSignal): PointOrder {
  return { point: name, afterPasses, signal }
}

/** Returns one of three undecodable values: not Avro, Avro with an unregistered schema, or null. */
function poisonValue(seed: number): Buffer | null {
  const kinds = [Buffer.from('this is no order'), Buffer.from([0, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3]), null]
  return kinds[seed % kinds.length] as Buffer | null
}
