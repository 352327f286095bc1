import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { startProxy } from './proxy.ts'

/** Starts an echo server behind a proxy. */
async function echoThroughProxy(t: TestContext) {
  const received: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', chunk => {
      received.push(chunk.toString())
      socket.write(chunk)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = await startProxy({ targetPort: (server.address() as AddressInfo).port })
  t.after(async () => {
    await proxy.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { proxy, received }
}

async function connect(port: number): Promise<Socket> {
  const socket = createConnection({ host: '127.0.0.1', port })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

function closed(socket: Socket): Promise<unknown> {
  return new Promise(resolve => socket.once('close', resolve))
}

async function ask(socket: Socket, text: string): Promise<string> {
  socket.write(text)
  const [answer] = await once(socket, 'data')
  return answer.toString()
}

test('an open link passes everything both ways', async t => {
  const { proxy } = await echoThroughProxy(t)
  const socket = await connect(proxy.port)
  assert.equal(await ask(socket, 'hello'), 'hello')
})

test('a slow link passes everything with a delay', async t => {
  const { proxy } = await echoThroughProxy(t)
  const socket = await connect(proxy.port)
  proxy.set('slow', 40)
  const startMs = performance.now()
  assert.equal(await ask(socket, 'hello'), 'hello')
  assert.ok(performance.now() - startMs >= 75)
})

test('a stalled link keeps connections and passes nothing until it is opened', async t => {
  const { proxy, received } = await echoThroughProxy(t)
  const socket = await connect(proxy.port)
  assert.equal(await ask(socket, 'before'), 'before')
  proxy.set('stalled')
  const answer = ask(socket, 'hello')
  await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(received, ['before'])
  proxy.set('open')
  assert.equal(await answer, 'hello')
})

test('a cut link breaks connections and refuses new ones', async t => {
  const { proxy } = await echoThroughProxy(t)
  const socket = await connect(proxy.port)
  assert.equal(await ask(socket, 'hello'), 'hello')
  proxy.set('cut')
  await closed(socket)
  await closed(createConnection({ host: '127.0.0.1', port: proxy.port }).on('error', () => {}))
  proxy.set('open')
  assert.equal(await ask(await connect(proxy.port), 'again'), 'again')
})

test('a mute link passes requests, loses answers, and breaks the connection when it is opened', async t => {
  const { proxy, received } = await echoThroughProxy(t)
  const socket = await connect(proxy.port)
  assert.equal(await ask(socket, 'one'), 'one')
  proxy.set('mute')
  const answers: string[] = []
  socket.on('data', chunk => answers.push(chunk.toString()))
  socket.write('two')
  while (!received.includes('two')) await new Promise(resolve => setImmediate(resolve))
  const broken = closed(socket)
  // Gives the echo time to arrive at the proxy: only a lost answer breaks the connection.
  await new Promise(resolve => setTimeout(resolve, 20))
  proxy.set('open')
  await broken
  assert.deepEqual(answers, [])
})
