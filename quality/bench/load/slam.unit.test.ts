import assert from 'node:assert/strict'
import { registerHooks } from 'node:module'
import { test } from 'node:test'
import { makeBody } from '../orders/make-orders.ts'

/** Stubs of the k6 modules that the script imports. */
const stubs: Readonly<Record<string, string>> = {
  k6: 'export const check = () => {}',
  'k6/data': 'export const SharedArray = function (name, make) { return make() }',
  'k6/execution': 'export default { get scenario() { return { iterationInTest: globalThis.sent.length } } }',
  'k6/http': 'export default { post: (url, body) => globalThis.sent.push({ url, body }) }'
}

test('the k6 script sends the same orders as the load generator from npm, in the same order', async t => {
  const sent: { url: string; body: string }[] = []
  Object.assign(globalThis, { sent, __ENV: { URL: 'http://here' }, __VU: 1 })
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      const stub = stubs[specifier]
      if (stub === undefined) return next(specifier, context)
      return { url: `data:text/javascript,${encodeURIComponent(stub)}`, shortCircuit: true }
    }
  })
  t.after(() => hooks.deregister())
  const script = './slam.js'
  const { default: place } = (await import(script)) as { default: () => void }
  for (let index = 0; index < 1_001; index++) place()
  assert.deepEqual(
    sent.map(({ body }) => body),
    Array.from({ length: 1_001 }, (_, index) => makeBody(index % 1_000))
  )
  assert.equal(sent[0]?.url, 'http://here/orders')
})
