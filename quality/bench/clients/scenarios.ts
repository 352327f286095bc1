/**
 * Scenarios of the comparison. Each runs a client's consume-process-produce loop, which copies 100
 * records from 4 partitions to an output topic, and disturbs it once. It passes if a committed reader
 * then sees each record once. Another client (ours) reads the output.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { createProducer, createTopics, deadLetterTopic, type KafkaConnection } from '@orderly/kafka'
import { readCommitted, ScriptedProducer } from '@orderly/kafka/testing'
import type { Contestant } from './contestants.ts'
import { type ClientTask, type LoopProcess, startLoop } from './loop-process.ts'
import type { LosingProxy } from './losing-proxy.ts'

export interface Outcome {
  readonly passed: boolean
  /** Observation, in a few words. */
  readonly note: string
}

export interface ScenarioContext {
  readonly connection: KafkaConnection
  /** Proxy of scenarios that need it. */
  readonly proxy?: LosingProxy
  readonly contestant: Contestant
}

export interface Scenario {
  readonly name: string
  readonly question: string
  /** True if it uses the proxy, so only one client at a time can run it. */
  readonly needsProxy?: boolean
  run(context: ScenarioContext): Promise<Outcome>
}

const recordCount = 100
const partitions = 4
/** Enough for a session timeout, a rebalance, and a restart of each client on a busy machine. */
const completionMs = 120_000
/** The longest rebalance timeout, which is that of our client, and some time to start. */
const rebalanceMs = 150_000
const settleMs = 3_000
const endTransaction = 26
/** The transaction timeout of the workers, and some time in which the broker aborts. */
const openTransactionMs = 120_000
const maxRestarts = 20
/** Delay of a supervisor before it starts a failed process again. */
const restartDelayMs = 1_000

interface Topics {
  readonly input: string
  readonly output: string
}

export const scenarios: readonly Scenario[] = [
  { name: 'aborted records', question: 'Are records of aborted transactions invisible?', run: abortedRecords },
  {
    name: 'restart',
    question: 'Killed before its commit and restarted with the same transactional id: is each record written once?',
    run: context =>
      withLoops(context, async loops => {
        const first = loops.start({ holdAt: 'before-commit' })
        await first.reported('held', AbortSignal.timeout(completionMs))
        await first.kill()
        loops.start({})
        return loops.complete()
      })
  },
  {
    name: 'zombie',
    question:
      'Suspended before its commit, replaced, and resumed: is its commit refused? Then 100 more records are written.',
    run: context =>
      withLoops(context, async loops => {
        const zombie = loops.start({ holdAt: 'before-commit' }, { isRestarted: false })
        await zombie.reported('held', AbortSignal.timeout(completionMs))
        zombie.signal('SIGSTOP')
        loops.start({})
        await loops.complete()
        zombie.signal('SIGCONT')
        zombie.release()
        const end = await Promise.race([zombie.exited, delay(settleMs, undefined)])
        await loops.writeMore()
        await loops.complete()
        return end === undefined ? 'the zombie joined the group again' : 'the zombie ended'
      })
  },
  {
    name: 'stable offsets',
    question: 'Taking over partitions while a former owner is committing: are its offsets waited for?',
    run: context =>
      withLoops(context, async loops => {
        const slow = loops.start({ holdAt: 'before-commit', transactionalID: `slow-${randomUUID()}` })
        await slow.reported('held', AbortSignal.timeout(completionMs))
        slow.signal('SIGSTOP')
        const next = loops.start({})
        await next.reported('joined', AbortSignal.timeout(completionMs))
        await delay(settleMs)
        slow.signal('SIGCONT')
        slow.release()
        return loops.complete()
      })
  },
  {
    name: 'rebalance',
    question: 'Losing partitions with records in process: is the late commit refused?',
    run: context =>
      withLoops(context, async loops => {
        const slow = loops.start({ holdAt: 'processing', transactionalID: `slow-${randomUUID()}` })
        await slow.reported('held', AbortSignal.timeout(completionMs))
        const next = loops.start({})
        await next.reported('joined', AbortSignal.timeout(rebalanceMs))
        await delay(settleMs)
        slow.release()
        return loops.complete()
      })
  },
  {
    name: 'ambiguous commit',
    needsProxy: true,
    question: 'The answer to a commit is lost: is each record written once, without an operator?',
    run: context =>
      withLoops(
        context,
        async loops => {
          const { proxy } = context
          const lostBefore = proxy?.lost
          proxy?.loseNext(endTransaction)
          loops.start({})
          await loops.complete()
          if (proxy?.lost === lostBefore) throw new Error('no answer was lost')
          return ''
        },
        { throughProxy: true }
      )
  }
]

async function abortedRecords({ connection, contestant }: ScenarioContext): Promise<Outcome> {
  const topics = await createInputAndOutput(connection, 1)
  const producer = new ScriptedProducer(connection, `scripted-${randomUUID()}`)
  await producer.init()
  const expected: string[] = []
  for (const [index, outcome] of (['commit', 'abort', 'commit', 'abort', 'commit'] as const).entries()) {
    await producer.write(topics.input, 0, [`${outcome}-${index}`])
    await producer.end(outcome)
    if (outcome === 'commit') expected.push(`commit-${index}`)
  }
  await producer.close()
  const reader = startLoop(contestant, { mode: 'read', ...taskOf(connection, topics) })
  const values = () => reader.reports.filter(({ event }) => event === 'value').map(({ value }) => value)
  let hasEnded = false
  void reader.exited.then(() => {
    hasEnded = true
  })
  try {
    const deadlineMs = Date.now() + completionMs
    while (!values().includes(expected.at(-1)) && Date.now() < deadlineMs && !hasEnded) await delay(100)
    if (hasEnded) throw new Error(`the reader of ${contestant.name} ended`)
    await delay(500)
  } finally {
    await reader.kill()
  }
  const seen = values()
  const passed = seen.join() === expected.join()
  return { passed, note: passed ? '' : `read ${seen.join(', ') || 'nothing'}` }
}

interface Loops {
  /** Starts a loop. A supervisor restarts it when it fails. */
  start(changes: Partial<ClientTask>, options?: { readonly isRestarted: boolean }): LoopProcess
  /** Waits until every record is in the output. @throws Error if that takes too long */
  complete(): Promise<string>
  /** Writes as many records again. */
  writeMore(): Promise<void>
}

/** Runs a scenario with loops on new topics, and checks the output after it. */
async function withLoops(
  { connection, contestant, proxy }: ScenarioContext,
  disturb: (loops: Loops) => Promise<string>,
  { throughProxy = false } = {}
): Promise<Outcome> {
  const topics = await createInputAndOutput(connection, partitions)
  const expected: string[] = []
  const writeMore = async () => {
    const added = Array.from({ length: recordCount }, (_, index) => `record-${expected.length + index}`)
    expected.push(...added)
    await write(
      connection,
      added.map((value, index) => ({ topic: topics.input, value, partition: index % partitions }))
    )
  }
  await writeMore()
  const brokers = throughProxy ? [`127.0.0.1:${proxy?.port}`] : connection.brokers
  const task: ClientTask = { mode: 'loop', ...taskOf({ ...connection, brokers }, topics) }
  const running = new Set<LoopProcess>()
  const failures: string[] = []
  let hasEnded = false

  const start: Loops['start'] = (changes, { isRestarted } = { isRestarted: true }) => {
    const loop = startLoop(contestant, { ...task, ...changes })
    running.add(loop)
    void loop.exited.then(({ signal }) => {
      running.delete(loop)
      if (hasEnded || signal === 'SIGKILL' || !isRestarted) return
      failures.push(loop.reports.findLast(({ event }) => event === 'failed')?.message ?? 'ended')
      const { holdAt: _, ...again } = changes
      if (failures.length <= maxRestarts)
        setTimeout(() => {
          if (!hasEnded) start(again)
        }, restartDelayMs)
    })
    return loop
  }
  const seenAll = async () => {
    const isComplete = (found: readonly { readonly value: Buffer }[]) =>
      new Set(found.map(({ value }) => String(value))).size >= expected.length
    await readCommitted(connection, topics.output, isComplete, { signal: AbortSignal.timeout(completionMs) })
    return ''
  }

  let note = ''
  let problem: string | undefined
  try {
    note = await disturb({ start, complete: seenAll, writeMore })
    await delay(settleMs)
  } catch (error) {
    problem =
      (error as Error).name === 'TimeoutError' ? 'not all records were written in time' : (error as Error).message
  } finally {
    hasEnded = true
    for (const loop of running) await loop.kill()
  }
  const { repeated, missing } = await checkOutput(connection, topics.output, expected)
  if (missing > 0) problem = `${missing} of ${expected.length} records were not written in time`
  if (repeated > 0) problem = `${repeated} of ${expected.length} records were written twice`
  const restarts = failures.length === 0 ? '' : `restarted ${failures.length}×`
  const error = problem !== undefined && failures.length > 0 ? `last error: ${failures.at(-1)?.slice(0, 160)}` : ''
  return { passed: problem === undefined, note: [problem ?? note, restarts, error].filter(Boolean).join('; ') }
}

async function checkOutput(connection: KafkaConnection, output: string, expected: readonly string[]) {
  const end = `end-${randomUUID()}`
  const ends = Array.from({ length: partitions }, (_, partition) => ({ topic: output, value: end, partition }))
  await write(connection, ends)
  const isEnd = ({ value }: { readonly value: Buffer }) => String(value) === end
  const signal = AbortSignal.timeout(openTransactionMs)
  const found = await readCommitted(connection, output, all => all.filter(isEnd).length === partitions, { signal })
  const values = found.map(({ value }) => String(value)).filter(value => !value.startsWith('end-'))
  const unique = new Set(values)
  return { repeated: values.length - unique.size, missing: expected.filter(value => !unique.has(value)).length }
}

function taskOf({ brokers }: KafkaConnection, topics: Topics): Omit<ClientTask, 'mode'> {
  return { brokers, ...topics, group: `group-${topics.input}`, transactionalID: `loop-${topics.input}` }
}

async function createInputAndOutput(connection: KafkaConnection, count: number): Promise<Topics> {
  const topics = { input: `in-${randomUUID()}`, output: `out-${randomUUID()}` }
  await createTopics(
    connection,
    // Our stage needs a dead-letter topic of its input.
    [...Object.values(topics), deadLetterTopic(topics.input)].map(name => {
      return { name, partitions: count, replicationFactor: 1 }
    })
  )
  return topics
}

async function write(
  connection: KafkaConnection,
  records: readonly { readonly topic: string; readonly value: string; readonly partition: number }[]
): Promise<void> {
  const producer = await createProducer(connection)
  await producer.send(
    records.map(({ topic, value, partition }) => ({
      topic,
      key: 'k',
      partition,
      value: Buffer.from(value),
      headers: {}
    }))
  )
  await producer.close()
}
