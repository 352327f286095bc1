/**
 * Places an order from a page of another origin, and follows it by its token in two ways.
 * @param client the module of the client
 */
export default async function followOrder({ createOrderClient }, baseURL) {
  const items = [{ sku: 'TEA-EARL-GREY-100G', quantity: 1 }]
  const placed = await createOrderClient({ baseURL }).placeOrder({ userID: 'page', items, total: 6.9 })
  const { orderID, orderToken, links } = placed
  const page = createOrderClient({ baseURL, orderToken })
  const statuses = []
  for await (const { status } of page.watchOrder(orderID)) statuses.push(status)

  const source = new EventSource(`${baseURL}${links.events}?token=${orderToken}`)
  const first = await new Promise((resolve, reject) => {
    source.addEventListener('status', ({ data }) => resolve(JSON.parse(data).status))
    source.addEventListener('error', () => reject(new Error('the event source failed')))
  })
  source.close()
  const { status } = await page.getOrder(orderID)
  return { last: statuses.at(-1), first, status, hasToken: orderToken !== undefined }
}
