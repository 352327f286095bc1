import { registerHooks } from 'node:module'

/** Loaded before the order service, makes it the bare route: all of it, but orders are taken as stored at once. */
const replaced = '/services/order/to-orders/publish-orders.ts'
const source = "export * from './publish-orders.ts?as-it-is'\nexport const publishOrders = () => async () => {}"

registerHooks({
  load(url, context, next) {
    return url.endsWith(replaced) ? { format: 'module', source, shortCircuit: true } : next(url, context)
  }
})
