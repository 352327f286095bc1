import { registerHooks } from 'node:module'

/**
 * Preloaded into the order service; replaces its publisher by one that acknowledges every order
 * immediately.
 */
const replaced = '/services/order/publisher/order-publisher.ts'
const source = `import { openPublisher as open } from './order-publisher.ts?as-it-is'
export const openPublisher = async (...given) => ({ ...(await open(...given)), publishOrder: async () => {} })`

registerHooks({
  load(url, context, next) {
    return url.endsWith(replaced) ? { format: 'module', source, shortCircuit: true } : next(url, context)
  }
})
