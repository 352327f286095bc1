import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import type { RunningComponent } from '../components/component.ts'
import { keepRunning } from './keep-running.ts'
import { createSupervisor } from './supervisor.ts'
import { waitUntil } from './wait.ts'

const policy = { firstDelayMs: 10, maxDelayMs: 20, maxRestarts: 3, stableMs: 3_600_000 }

/** Creates a component whose processes run the given program, one after the other. */
async function createPart(t: TestContext, program: string) {
  const directory = await mkdtemp(join(tmpdir(), 'orderly-keep-running-'))
  const supervisor = createSupervisor(directory)
  const ending = new AbortController()
  t.after(async () => {
    ending.abort()
    await supervisor.stop()
    await rm(directory, { recursive: true })
  })
  let starts = 0
  const start = async (): Promise<RunningComponent> => {
    starts++
    const child = supervisor.start({ name: 'component', command: process.execPath, args: ['--eval', program] })
    return {
      ...{ name: 'component', address: '', processes: [child], startMs: 0 },
      isHealthy: async () => child.isRunning(),
      stop: async () => void (await child.stop())
    }
  }
  const reports: string[] = []
  const component = keepRunning(await start(), {
    start,
    signal: ending.signal,
    policy,
    report: text => reports.push(text)
  })
  return {
    component,
    reports,
    ending,
    starts: () => starts,
    reported: (text: RegExp) =>
      waitUntil(() => text.test(reports.join('\n')), { what: `a report of ${text}`, deadlineMs: 60_000 })
  }
}

describe('keepRunning', () => {
  test('a killed component is restarted, and its process is the new one', async t => {
    const { component, reported } = await createPart(t, 'setInterval(() => {}, 1e6)')
    const [first] = component.processes
    first?.signal('SIGKILL')
    await reported(
      /component ended \(SIGKILL\).*\nrestarting component in 0\.01 s \(restart 1 of 3\)\ncomponent is running again/
    )
    assert.notEqual(component.processes[0]?.pid, first?.pid)
    assert.ok(await component.isHealthy())
  })

  test('a component that ends repeatedly stays down after the last restart, with the end of its log', async t => {
    const { reported, starts } = await createPart(t, "console.log('no such column'); process.exit(3)")
    await reported(/component was restarted 3 times in a row\n(?:no such column\n)+component stays down/)
    assert.equal(starts(), 4)
  })

  test('a component with invalid settings stays down without a restart', async t => {
    const { reported, starts } = await createPart(t, 'process.exit(78)')
    await reported(/ended \(exit code 78\)[\s\S]*component stays down/)
    assert.equal(starts(), 1)
  })

  test('a deliberately stopped component is not restarted', async t => {
    const { component, ending, reports, starts } = await createPart(t, 'setInterval(() => {}, 1e6)')
    ending.abort()
    await component.stop()
    assert.equal(starts(), 1)
    assert.deepEqual(reports, [])
  })
})
