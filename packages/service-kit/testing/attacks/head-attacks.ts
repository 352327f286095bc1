import type { Attack } from './attacks.ts'

export interface HeadTarget {
  /** Path that the caller may read. */
  readonly readPath: string
  /** Method and path of an operation that accepts JSON. */
  readonly write: `${string} ${string}`
  readonly payload: string
  /** Headers of a caller that may use both operations. */
  readonly headers: readonly string[]
}

/** Returns requests with a head that is invalid, too large or ambiguous (request smuggling). */
export function headAttacks({ readPath, write, payload, headers }: HeadTarget): Attack[] {
  const path = write.split(' ')[1]
  const raw = (name: string, lines: readonly string[], status: number, code: string, body = ''): Attack => {
    return { name, raw: `${[...lines, ...headers].join('\r\n')}\r\n\r\n${body}`, status, code }
  }
  const postLine = [`${write} HTTP/1.1`, 'Host: localhost', 'Connection: close', 'Content-Type: application/json']
  const getLine = [`GET ${readPath} HTTP/1.1`, 'Connection: close']
  const chunk = `${payload.length.toString(16)}\r\n${payload}\r\n0\r\n\r\n`
  const long = 'x'.repeat(20_000)
  return [
    raw('no Host', getLine, 400, 'INVALID_HOST'),
    raw('two Hosts', [...getLine, 'Host: localhost', 'Host: evil'], 400, 'INVALID_HOST'),
    raw('the same Host twice', [...getLine, 'Host: localhost', 'Host: localhost'], 400, 'INVALID_HOST'),
    raw('an empty Host', [...getLine, 'Host:'], 400, 'INVALID_HOST'),
    raw('a Host with a path', [...getLine, 'Host: localhost/x'], 400, 'INVALID_HOST'),
    raw('a Host with a user', [...getLine, 'Host: a@localhost'], 400, 'INVALID_HOST'),
    raw('a Host with white space', [...getLine, 'Host: local host'], 400, 'INVALID_HOST'),
    raw(
      'another host in the request line',
      [`GET http://evil${readPath} HTTP/1.1`, 'Host: localhost'],
      400,
      'INVALID_HOST'
    ),
    raw(
      'two lengths',
      [...postLine, `Content-Length: ${payload.length}`, 'Content-Length: 3'],
      400,
      'BAD_REQUEST',
      payload
    ),
    raw(
      'the same length twice',
      [...postLine, `Content-Length: ${payload.length}`, `Content-Length: ${payload.length}`],
      400,
      'BAD_REQUEST',
      payload
    ),
    raw(
      'a list of lengths',
      [...postLine, `Content-Length: ${payload.length}, ${payload.length}`],
      400,
      'BAD_REQUEST',
      payload
    ),
    raw('a negative length', [...postLine, 'Content-Length: -5'], 400, 'BAD_REQUEST', payload),
    raw('a length in hexadecimal', [...postLine, 'Content-Length: 0x10'], 400, 'BAD_REQUEST', payload),
    raw('a length with a plus', [...postLine, `Content-Length: +${payload.length}`], 400, 'BAD_REQUEST', payload),
    raw('a length beyond numbers', [...postLine, `Content-Length: ${'9'.repeat(40)}`], 400, 'BAD_REQUEST', payload),
    raw(
      'a length and chunks',
      [...postLine, `Content-Length: ${payload.length}`, 'Transfer-Encoding: chunked'],
      400,
      'BAD_REQUEST',
      chunk
    ),
    raw(
      'chunks and a length',
      [...postLine, 'Transfer-Encoding: chunked', `Content-Length: ${payload.length}`],
      400,
      'BAD_REQUEST',
      chunk
    ),
    raw(
      'chunked twice',
      [...postLine, 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
      400,
      'BAD_REQUEST',
      chunk
    ),
    raw('chunked, then not', [...postLine, 'Transfer-Encoding: chunked, identity'], 400, 'BAD_REQUEST', chunk),
    raw('compressed chunks', [...postLine, 'Transfer-Encoding: gzip, chunked'], 400, 'BAD_REQUEST', chunk),
    raw('almost chunked', [...postLine, 'Transfer-Encoding: xchunked'], 400, 'BAD_REQUEST', chunk),
    raw('chunked in quotes', [...postLine, 'Transfer-Encoding: "chunked"'], 400, 'BAD_REQUEST', chunk),
    raw('chunked with a vertical tab', [...postLine, 'Transfer-Encoding: \x0bchunked'], 400, 'BAD_REQUEST', chunk),
    raw('chunked behind a space', [...postLine, 'Transfer-Encoding : chunked'], 400, 'BAD_REQUEST', chunk),
    raw(
      'chunks in HTTP/1.0',
      [`${write} HTTP/1.0`, 'Host: localhost', 'Content-Type: application/json', 'Transfer-Encoding: chunked'],
      400,
      'BAD_REQUEST',
      chunk
    ),
    raw('an invalid chunk size', [...postLine, 'Transfer-Encoding: chunked'], 400, 'BAD_REQUEST', 'G\r\n'),
    raw(
      'a chunk size beyond numbers',
      [...postLine, 'Transfer-Encoding: chunked'],
      400,
      'BAD_REQUEST',
      `${'F'.repeat(20)}\r\n`
    ),
    raw(
      'a chunk that is longer than its size',
      [...postLine, 'Transfer-Encoding: chunked'],
      400,
      'BAD_REQUEST',
      `2\r\n${payload}\r\n0\r\n\r\n`
    ),
    raw('a folded header', [...getLine, 'Host: localhost', 'X: a', ' b'], 400, 'BAD_REQUEST'),
    raw('a header without a colon', [...getLine, 'Host: localhost', 'nonsense'], 400, 'BAD_REQUEST'),
    raw('a header without a name', [...getLine, 'Host: localhost', ': x'], 400, 'BAD_REQUEST'),
    raw('a zero byte in a header', [...getLine, 'Host: localhost', 'X: a\0b'], 400, 'BAD_REQUEST'),
    raw('CR alone in a header', [...getLine, 'Host: localhost', 'X: a\rY: b'], 400, 'BAD_REQUEST'),
    raw('an unknown method', [`FROB ${path} HTTP/1.1`, 'Host: localhost'], 400, 'BAD_REQUEST'),
    raw('a method in small letters', [`post ${path} HTTP/1.1`, 'Host: localhost'], 400, 'BAD_REQUEST'),
    raw(
      'another known method',
      [`PROPFIND ${path} HTTP/1.1`, 'Host: localhost', 'Connection: close'],
      405,
      'METHOD_NOT_ALLOWED'
    ),
    raw(
      'TRACE, which would show headers',
      [`TRACE ${path} HTTP/1.1`, 'Host: localhost', 'Connection: close'],
      405,
      'METHOD_NOT_ALLOWED'
    ),
    raw('a tunnel', ['CONNECT evil.test:443 HTTP/1.1', 'Host: localhost'], 405, 'METHOD_NOT_ALLOWED'),
    raw('HTTP/2 by prior knowledge', ['PRI * HTTP/2.0', '', 'SM'], 400, 'BAD_REQUEST'),
    raw('HTTP/2.0', [`GET ${path} HTTP/2.0`, 'Host: localhost'], 400, 'BAD_REQUEST'),
    raw('HTTP/3.7', [`GET ${path} HTTP/3.7`, 'Host: localhost'], 400, 'BAD_REQUEST'),
    raw('a header of 20 kB', [...getLine, 'Host: localhost', `X: ${long}`], 431, 'HEADERS_TOO_LARGE'),
    raw(
      '3,000 headers',
      [...getLine, 'Host: localhost', ...Array.from({ length: 3_000 }, (_, index) => `x${index}: y`)],
      431,
      'HEADERS_TOO_LARGE'
    ),
    raw('a URL of 20 kB', [`GET ${path}/${long} HTTP/1.1`, 'Host: localhost'], 431, 'HEADERS_TOO_LARGE'),
    raw('an unknown expectation', [...postLine, 'Expect: the-unexpected'], 417, 'EXPECTATION_FAILED'),
    {
      name: 'a TLS greeting',
      raw: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
      status: 400,
      code: 'BAD_REQUEST'
    },
    { name: 'lines without CR', raw: `GET ${path} HTTP/1.1\nHost: localhost\n\n`, status: 400, code: 'BAD_REQUEST' }
  ]
}
