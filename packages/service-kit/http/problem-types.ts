/**
 * Every problem that the services answer with: the catalogue that docs/problems.md and the page `/docs/problems` show. Codes
 * are a public contract, so a new one is added here first.
 */
export interface ProblemType {
  readonly status: string
  /** Summary that is the same for every occurrence (RFC 9457, section 3.1.3). */
  readonly title: string
  readonly when: string
  readonly remedy: string
}

type Row = readonly [status: number | string, title: string, when: string, remedy: string]

const groups = {
  'The request': {
    INVALID_REQUEST: [
      400,
      'Invalid request',
      'Fields, headers or parameters are missing, unknown or wrong, or the body has too many values.',
      'Correct what `errors` names.'
    ],
    INVALID_JSON: [400, 'Invalid JSON', 'The body, or a line of a batch, is not valid JSON.', 'Correct it.'],
    TOO_DEEPLY_NESTED: [
      400,
      'Too deeply nested',
      'The body is nested more than 32 levels deep.',
      'Send what is documented.'
    ],
    INVALID_CURSOR: [400, 'Invalid cursor', 'The cursor belongs to another user.', 'Begin with the first page.'],
    UNSUPPORTED_API_VERSION: [
      400,
      'Unsupported API version',
      '`Orderly-Version` names a version that the service does not have.',
      'Send a version that `detail` names, or none.'
    ],
    IDEMPOTENCY_KEY_NOT_ALLOWED: [
      400,
      'Idempotency key not allowed',
      'A batch has an `Idempotency-Key`.',
      'Give each of its orders an `idempotencyKey`.'
    ],
    STOCK_FILE_INVALID: [
      400,
      'Invalid stock file',
      'A line of a CSV file is wrong; nothing was changed.',
      'Correct the line that `detail` names.'
    ],
    BAD_URL: [400, 'Bad URL', 'The path cannot be decoded.', 'Send UTF-8, percent-encoded.'],
    BAD_REQUEST: [
      400,
      'Bad request',
      'The request is not HTTP, or can be read in two ways.',
      'Send one that an HTTP library writes.'
    ],
    INVALID_HOST: [
      400,
      'Invalid host',
      '`Host` is missing, sent twice, not a name, or not that of the request line.',
      'Send one `Host`.'
    ],
    CROSS_SITE_REQUEST: [
      403,
      'Cross-site request',
      'A page of another site made a browser send the request.',
      'Add the origin to `HTTP_ALLOWED_ORIGINS` if its pages may.'
    ],
    NOT_FOUND: [404, 'Not found', 'The path does not exist.', ''],
    METHOD_NOT_ALLOWED: [405, 'Method not allowed', 'The path has other methods.', 'Use one that `Allow` names.'],
    REQUEST_TIMEOUT: [408, 'Request timeout', 'The request did not arrive in time; nothing was done.', 'Try again.'],
    BODY_TOO_LARGE: [413, 'Body too large', 'The body is larger than the operation takes.', 'Split it.'],
    UNSUPPORTED_MEDIA_TYPE: [
      415,
      'Unsupported media type',
      'The body is of another type than is documented, or compressed.',
      'Send a type that `detail` names.'
    ],
    EXPECTATION_FAILED: [417, 'Expectation failed', '`Expect` is not `100-continue`.', 'Send none.'],
    HOST_NOT_ALLOWED: [
      421,
      'Host not allowed',
      'API keys are off, and `Host` is not a name of loopback.',
      'Ask for `localhost`, or add the name to `HTTP_ALLOWED_HOSTS`.'
    ],
    HEADERS_TOO_LARGE: [431, 'Headers too large', 'URL and headers are larger than 16 KiB.', '']
  },
  'The caller': {
    UNAUTHORIZED: [
      401,
      'Unauthorized',
      'The API key is missing or not valid.',
      'Send `Authorization: Bearer orderly_…`.'
    ],
    ROLE_NOT_ALLOWED: [403, 'Role not allowed', 'The key has another role than the operation takes.', ''],
    QUOTA_TOO_SMALL: [
      400,
      'Quota too small',
      'A batch has more orders than the caller may place in a minute, so that it never fits.',
      'Send at most as many as `detail` names.'
    ],
    RATE_LIMITED: [
      429,
      'Rate limited',
      'The quota does not suffice at the moment, or the caller has too many bytes in flight; nothing was done.',
      'Try again after `Retry-After`.'
    ]
  },
  Orders: {
    ORDER_NOT_FOUND: [
      404,
      'Order not found',
      'The order does not exist, or belongs to another shop.',
      'With `Retry-After` it may not be known yet: try again.'
    ],
    IDEMPOTENCY_KEY_IN_USE: [
      409,
      'Idempotency key in use',
      'A request with this key is in flight, or another order of the batch has it.',
      'Try again after `Retry-After`; in a batch give the second order its own key.'
    ],
    IDEMPOTENCY_KEY_REUSED: [
      422,
      'Idempotency key reused',
      'The key belongs to another order, another change of an order, or another adjustment.',
      'Use a new key for each.'
    ],
    ORDER_PENDING: [
      409,
      'Order pending',
      'The order has no outcome yet, so it cannot be confirmed.',
      'Try again after `Retry-After`.'
    ],
    ORDER_FAILED: [409, 'Order failed', 'Nothing is reserved for the order, since it failed.', 'Place a new one.'],
    ORDER_CANCELLED: [
      409,
      'Order cancelled',
      'Nothing is reserved any more, since it was cancelled.',
      'Place a new one.'
    ],
    ORDER_EXPIRED: [409, 'Order expired', 'Nothing is reserved any more, since its hold ended.', 'Place a new one.'],
    ORDER_HAS_NO_HOLD: [409, 'Order has no hold', 'It was placed without `holdSeconds`.', 'It needs no confirmation.'],
    TOO_MANY_STREAMS: [
      '429, 503',
      'Too many streams',
      'Too many streams of status are open: of the caller (429), or in all (503).',
      'Try again after `Retry-After`.'
    ]
  },
  Stock: {
    SKU_NOT_FOUND: [404, 'SKU not found', 'The SKU does not exist.', '`PUT` its stock to add it.'],
    STOCK_TOO_LOW: [409, 'Stock too low', 'Fewer pieces are there than are to be taken out; nothing was changed.', ''],
    STOCK_TOO_HIGH: [
      409,
      'Stock too high',
      'There would be too many pieces to count exactly; nothing was changed.',
      ''
    ],
    STOCK_BELOW_RESERVED: [
      409,
      'Stock below reserved',
      '`onHand` is less than the pieces reserved for orders; the SKUs are named, nothing was changed.',
      'Count again, or cancel orders first.'
    ]
  },
  'The service': {
    STARTING: [
      503,
      'Service is starting',
      'The service is starting; it may be waiting for its database.',
      'Try again after `Retry-After`.'
    ],
    UNAVAILABLE: [
      503,
      'Unavailable',
      'A broker or the database does not answer, or too much is in flight.',
      'Try again, an order with its `Idempotency-Key`.'
    ],
    INTERNAL_ERROR: [
      500,
      'Internal error',
      'A fault of the service, which is in its log. Whether the request was done is unknown.',
      'Try again as above; then ask for help.'
    ]
  }
} satisfies Record<string, Record<string, Row>>

type KeysOf<Union> = Union extends unknown ? keyof Union : never
export type ProblemCode = KeysOf<(typeof groups)[keyof typeof groups]> & string

export const problemGroups: readonly (readonly [name: string, types: readonly (readonly [string, ProblemType])[]])[] =
  Object.entries(groups).map(([name, rows]) => [
    name,
    Object.entries<Row>(rows).map(([code, row]) => [code, toType(row)])
  ])

function toType([status, title, when, remedy]: Row): ProblemType {
  return { status: String(status), title, when, remedy }
}

export const problemTypes = Object.fromEntries(problemGroups.flatMap(([, types]) => types)) as Readonly<
  Record<ProblemCode, ProblemType>
>

/** Path of the page that describes all problems. The type of a problem is this with its code as the fragment. */
export const problemsPath = '/docs/problems'

/** Renders the page for browsers. It is plain, since its policy allows no styles. */
export function problemsPage(): string {
  const rows = problemGroups.flatMap(([name, types]) => [
    `<tr><th colspan="4">${name}</th></tr>`,
    ...types.map(
      ([code, { status, when, remedy }]) =>
        `<tr id="${code}"><td>${code}</td><td>${status}</td><td>${toHTML(when)}</td><td>${toHTML(remedy)}</td></tr>`
    )
  ])
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Problems</title></head><body><h1>Problems</h1>
<table><tr><th>code</th><th>status</th><th>when</th><th>what to do</th></tr>
${rows.join('\n')}
</table></body></html>
`
}

function toHTML(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replace(/`([^`]*)`/g, '<code>$1</code>')
}

/** The table of docs/problems.md. */
export function problemsTable(): string {
  const rows = problemGroups.flatMap(([name, types]) => [
    `| **${name}** | | | |`,
    ...types.map(([code, { status, when, remedy }]) =>
      `| <a id="${code}"></a>\`${code}\` | ${status} | ${when} | ${remedy} |`.replaceAll('  ', ' ')
    )
  ])
  return ['| code | status | when | what to do |', '| --- | --- | --- | --- |', ...rows].join('\n')
}
