/**
 * Parses a stream of server-sent events. It shares no code with the client of the project, because
 * that is under test. It ignores an event whose end has not arrived, as the standard demands.
 */
export async function* readEventStream(
  chunks: AsyncIterable<Uint8Array>
): AsyncGenerator<{ readonly id: string; readonly data: string }> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true })
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      const fields = new Map(
        block.split('\n').map(line => [line.split(': ', 1)[0], line.slice(line.indexOf(': ') + 2)])
      )
      const data = fields.get('data')
      if (data !== undefined) yield { id: fields.get('id') ?? '', data }
    }
  }
}
