import { createConnection, createServer, type Socket } from 'node:net'
import { loopback } from '@orderly/launcher'

export interface LosingProxy {
  readonly port: number
  /** Number of answers that were lost. */
  readonly lost: number
  /** Loses the next answer to a request of this API, and breaks its connection. */
  loseNext(apiKey: number): void
  close(): Promise<void>
}

/**
 * Starts a proxy in front of a broker that can lose an answer: the broker has executed the request,
 * and the client sees a broken connection.
 */
export async function startLosingProxy(targetPort: () => number): Promise<LosingProxy> {
  const sockets = new Set<Socket>()
  let apiToLose: number | undefined
  let lost = 0

  const server = createServer({ noDelay: true }, client => {
    const broker = createConnection({ host: loopback, port: targetPort(), noDelay: true })
    let correlationToLose: number | undefined
    const end = () => {
      client.destroy()
      broker.destroy()
    }
    for (const socket of [client, broker]) {
      sockets.add(socket)
      socket.on('error', end).on('close', () => {
        sockets.delete(socket)
        end()
      })
    }
    onFrames(client, frame => {
      if (apiToLose !== undefined && frame.readInt16BE(4) === apiToLose) {
        apiToLose = undefined
        correlationToLose = frame.readInt32BE(8)
      }
      broker.write(frame)
    })
    onFrames(broker, frame => {
      if (frame.readInt32BE(4) === correlationToLose) {
        lost++
        end()
      } else client.write(frame)
    })
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, loopback, resolve))
  return {
    port: (server.address() as { readonly port: number }).port,
    get lost() {
      return lost
    },
    loseNext: apiKey => {
      apiToLose = apiKey
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    }
  }
}

/** Calls back with each request or answer: a big-endian length, and as many bytes. */
function onFrames(socket: Socket, callback: (frame: Buffer) => void): void {
  let pending: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    while (pending.length >= 4) {
      const length = 4 + pending.readInt32BE(0)
      if (pending.length < length) return
      callback(pending.subarray(0, length))
      pending = pending.subarray(length)
    }
  })
}
