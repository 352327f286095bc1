/**
 * A type of problem. This file is the catalogue of all problems, shown in
 * docs/reference/error-codes.md and on the page `/docs/problems`. Codes are a public contract.
 */
export interface ProblemType {
  readonly status: string
  /** Summary, the same for every occurrence (RFC 9457, section 3.1.3). */
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
      'Fields, headers or parameters are missing, unknown or invalid, or the body has too many values.',
      'Correct what `errors` names.'
    ],
    INVALID_JSON: [400, 'Invalid JSON', 'The body, or a line of a batch, is not valid JSON.', 'Correct it.'],
    TOO_DEEPLY_NESTED: [
      400,
      'Too deeply nested',
      'The body is nested more than 32 levels deep.',
      'Send a body as documented.'
    ],
    INVALID_CURSOR: [400, 'Invalid cursor', 'The cursor belongs to another list.', 'Start with the first page.'],
    UNSUPPORTED_API_VERSION: [
      400,
      'Unsupported API version',
      '`Orderly-Version` names a version that the service does not support.',
      'Send a version that `detail` names, or omit the header.'
    ],
    IDEMPOTENCY_KEY_NOT_ALLOWED: [
      400,
      'Idempotency key not allowed',
      'A batch was sent with an `Idempotency-Key`.',
      'Set `idempotencyKey` on each order instead.'
    ],
    STOCK_FILE_INVALID: [
      400,
      'Invalid stock file',
      'A line of a CSV file is invalid; nothing was changed.',
      'Correct the line that `detail` names.'
    ],
    BAD_URL: [400, 'Bad URL', 'The path cannot be decoded.', 'Send UTF-8, percent-encoded.'],
    BAD_REQUEST: [
      400,
      'Bad request',
      'The request is not valid HTTP, or is ambiguous.',
      'Send requests with an HTTP library.'
    ],
    INVALID_HOST: [
      400,
      'Invalid host',
      '`Host` is missing, sent twice, not a valid name, or differs from the host in the request line.',
      'Send one valid `Host`.'
    ],
    CROSS_SITE_REQUEST: [
      403,
      'Cross-site request',
      'A browser sent the request for a page of another site.',
      'Add the origin to `HTTP_ALLOWED_ORIGINS` if its pages may call the API.'
    ],
    NOT_FOUND: [404, 'Not found', 'The path does not exist.', ''],
    METHOD_NOT_ALLOWED: [
      405,
      'Method not allowed',
      'The path does not support the method.',
      'Use a method that `Allow` names.'
    ],
    REQUEST_TIMEOUT: [408, 'Request timeout', 'The request did not arrive in time; nothing was done.', 'Try again.'],
    BODY_TOO_LARGE: [413, 'Body too large', 'The body is larger than the operation accepts.', 'Split it.'],
    UNSUPPORTED_MEDIA_TYPE: [
      415,
      'Unsupported media type',
      'The media type of the body is not supported, or the body is compressed.',
      'Send a media type that `detail` names.'
    ],
    EXPECTATION_FAILED: [417, 'Expectation failed', '`Expect` is not `100-continue`.', 'Omit `Expect`.'],
    HOST_NOT_ALLOWED: [
      421,
      'Host not allowed',
      'API keys are off, and `Host` is not a loopback name.',
      'Use `localhost`, or add the name to `HTTP_ALLOWED_HOSTS`.'
    ],
    HEADERS_TOO_LARGE: [431, 'Headers too large', 'The URL and the headers together exceed 16 KiB.', '']
  },
  'The caller': {
    UNAUTHORIZED: [
      401,
      'Unauthorized',
      'The API key is missing or not valid.',
      'Send `Authorization: Bearer orderly_…`.'
    ],
    ROLE_NOT_ALLOWED: [403, 'Role not allowed', 'The role of the key may not use the operation.', ''],
    QUOTA_TOO_SMALL: [
      400,
      'Quota too small',
      'A batch has more orders than the caller may place per minute, so it can never be accepted.',
      'Send at most the number of orders that `detail` names.'
    ],
    RATE_LIMITED: [
      429,
      'Rate limited',
      'The quota is used up for now, or the caller has too many bytes in flight; nothing was done.',
      'Try again after `Retry-After`.'
    ]
  },
  Orders: {
    ORDER_NOT_FOUND: [
      404,
      'Order not found',
      'The order does not exist, or belongs to another shop.',
      'With `Retry-After`, the order may not be visible yet: try again.'
    ],
    IDEMPOTENCY_KEY_IN_USE: [
      409,
      'Idempotency key in use',
      'A request with this key is in flight, or another order of the batch uses the key.',
      'Try again after `Retry-After`; in a batch, use a different key for each order.'
    ],
    IDEMPOTENCY_KEY_REUSED: [
      422,
      'Idempotency key reused',
      'The key belongs to another order, change request or adjustment.',
      'Use a new key for each operation.'
    ],
    ORDER_PENDING: [
      409,
      'Order pending',
      'The order has no outcome yet, so it cannot be confirmed.',
      'Try again after `Retry-After`.'
    ],
    ORDER_FAILED: [409, 'Order failed', 'The order failed, so nothing is reserved.', 'Place a new order.'],
    ORDER_CANCELLED: [409, 'Order cancelled', 'The order was cancelled and its stock released.', 'Place a new order.'],
    ORDER_EXPIRED: [409, 'Order expired', 'The hold expired and its stock was released.', 'Place a new order.'],
    ORDER_HAS_NO_HOLD: [
      409,
      'Order has no hold',
      'The order was placed without `holdSeconds`.',
      'Do not confirm it: its reservation is already permanent.'
    ],
    TOO_MANY_STREAMS: [
      '429, 503',
      'Too many streams',
      'Too many status streams are open: for the caller (429) or in total (503).',
      'Try again after `Retry-After`.'
    ]
  },
  Stock: {
    SKU_NOT_FOUND: [404, 'SKU not found', 'The SKU does not exist.', 'Add it with `PUT`.'],
    STOCK_TOO_LOW: [
      409,
      'Stock too low',
      'The adjustment removes more pieces than are available; nothing was changed.',
      ''
    ],
    STOCK_TOO_HIGH: [
      409,
      'Stock too high',
      'The resulting number of pieces cannot be represented exactly; nothing was changed.',
      ''
    ],
    STOCK_BELOW_RESERVED: [
      409,
      'Stock below reserved',
      '`onHand` is less than the pieces reserved for orders; `detail` names the SKUs, nothing was changed.',
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
      'A broker or the database is unavailable, or too many requests are in flight.',
      'Try again; repeat an order with the same `Idempotency-Key`.'
    ],
    INTERNAL_ERROR: [
      500,
      'Internal error',
      'An unexpected error, recorded in the log of the service. It is unknown whether the request took effect.',
      'Try again with the same `Idempotency-Key`; if the error persists, contact the operator.'
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

/**
 * Path of the page that describes all problems. The `type` of a problem is this path with its code
 * as the fragment.
 */
export const problemsPath = '/docs/problems'

/** Renders the page. It has no styles, because its content security policy allows none. */
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

/** Renders the table of docs/reference/error-codes.md. */
export function problemsTable(): string {
  const rows = problemGroups.flatMap(([name, types]) => [
    `| **${name}** | | | |`,
    ...types.map(([code, { status, when, remedy }]) =>
      `| <a id="${code}"></a>\`${code}\` | ${status} | ${when} | ${remedy} |`.replaceAll('  ', ' ')
    )
  ])
  return ['| code | status | when | what to do |', '| --- | --- | --- | --- |', ...rows].join('\n')
}
