export interface ServerSentEvent {
  readonly id: string
  readonly data: string
}

/**
 * Parses a stream of server-sent events
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html). Supports only the features that
 * the order service uses.
 */
export async function* readEvents(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder()
  let text = ''
  let id = ''
  let data: string[] = []
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true })
    const lines = text.split(/\r\n|\n|\r/)
    // The last line may be incomplete.
    text = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '' && data.length > 0) {
        yield { id, data: data.join('\n') }
        data = []
      } else if (line.startsWith('id:')) id = fieldOf(line)
      else if (line.startsWith('data:')) data.push(fieldOf(line))
    }
  }
}

function fieldOf(line: string): string {
  return line.slice(line.indexOf(':') + 1).replace(/^ /, '')
}
