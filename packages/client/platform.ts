/** Functions that Node and browsers provide differently. */

/**
 * Waits.
 * @throws the reason of the signal, as soon as it is aborted
 */
export function delay(durationMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const stop = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, durationMs)
    signal?.addEventListener('abort', stop, { once: true })
  })
}

/** Returns a random UUID (version 4). `crypto.randomUUID` is missing on pages without https. */
export function randomUUID(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** Reads a stream. Safari and older Chrome cannot iterate over a `ReadableStream`. */
export async function* readChunks(
  body: ReadableStream<Uint8Array>,
  idleTimeoutMs: number
): AsyncGenerator<Uint8Array, void> {
  const reader = body.getReader()
  try {
    for (;;) {
      const { done, value } = await beforeIdle(reader.read(), idleTimeoutMs)
      if (done) return
      yield value
    }
  } finally {
    // The caller may leave early; a broken connection has nothing to cancel.
    await reader.cancel().catch(() => {})
  }
}

async function beforeIdle<Result>(read: Promise<Result>, idleTimeoutMs: number): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const idle = new Promise<never>((_, reject) => {
    const late = () => reject(new DOMException(`no byte arrived for ${idleTimeoutMs} ms`, 'TimeoutError'))
    timer = setTimeout(late, idleTimeoutMs)
  })
  try {
    return await Promise.race([read, idle])
  } finally {
    clearTimeout(timer)
  }
}
