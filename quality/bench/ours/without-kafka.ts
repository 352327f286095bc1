import { registerHooks } from 'node:module'

/**
 * Preloaded into the order service; replaces its publisher by one that acknowledges every order
 * immediately.
 */
const replaced = '/services/order/to-orders/publish-orders.ts'
const source = "export * from './publish-orders.ts?as-it-is'\nexport const publishOrders = () => async () => {}"

registerHooks({
  load(url, context, next) {
    return url.endsWith(replaced) ? { format: 'module', source, shortCircuit: true } : next(url, context)
  }
})
