import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { LinkState } from '../proxy/proxy.ts'
import { createInjector, type InjectorOptions } from './inject.ts'

test('a process that reaches its failpoint after its fault was healed leaves no link muted', async () => {
  const states: LinkState[] = []
  const reached = Promise.withResolvers<boolean>()
  const options = {
    fleet: {
      order: async () => ({ child: { signal: () => {} } }),
      withdraw: async () => {},
      reachesFailpoint: () => reached.promise,
      resumeAll: () => {}
    },
    servers: { links: new Map([['kafka-1', { set: (state: LinkState) => states.push(state) }]]) },
    producer: {},
    note: () => {}
  } as unknown as InjectorOptions
  const injector = createInjector(options)
  const point = { name: 'before-commit', afterPasses: 1 } as const
  injector.inject({ kind: 'mute-at-point', target: 'inventory-1', atMs: 0, durationMs: 60_000, point })
  await turn()
  assert.deepEqual(await injector.heal(), ['mute-at-point'])
  reached.resolve(true)
  await turn()
  assert.deepEqual(states, ['open'])
})
