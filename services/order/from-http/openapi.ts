import swagger from '@fastify/swagger'
import swaggerUI from '@fastify/swagger-ui'
import { securitySchemes } from '@orderly/callers'
import type { FastifyInstance } from 'fastify'

/** For people: everything comes from this service, and the page may talk to nobody else. */
const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  // What Swagger UI writes into its elements.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join('; ')

const description = `Place orders, and ask what became of them.

- An order with an \`Idempotency-Key\` is placed once: repeat the request with the same key until its answer is neither \`409\` nor \`503\`.
- Problems are told as RFC 9457 describes (\`application/problem+json\`), with a stable \`code\`.
- Callers send an API key, \`Authorization: Bearer orderly_…\`; services that run with \`API_KEYS=off\`, as on a developer's machine, ask for none.
- A request that does not arrive in time is \`408\`, one with too large headers \`431\`, also where that is not named; neither is done.
- Every answer has an \`X-Request-Id\`: the caller's own, if the request had one.`

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the document says instead of what is validated, where a handler checks the parts of a body by itself. */
    describedAs?: { readonly body: unknown }
  }
}

/** `GET /openapi.json`, and `/docs` to browse it: what the routes that are added after this say about themselves. */
export async function addOpenApi(http: FastifyInstance): Promise<void> {
  await http.register(swagger, {
    refResolver: {
      buildLocalReference: (schema, _baseURI, _fragment, index) => String(schema.$id ?? `schema-${index}`)
    },
    transform: ({ schema, url, route }) => ({ schema: { ...schema, ...route.config?.describedAs }, url }),
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Orderly order API',
        version: '1.0.0',
        description,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' }
      },
      servers: [{ url: '/' }],
      tags: [{ name: 'orders', description: 'Placing orders, and asking for them.' }],
      components: { securitySchemes }
    }
  })
  let document: string | undefined
  http.get('/openapi.json', { schema: { hide: true } }, (_request, reply) => {
    document ??= JSON.stringify(http.swagger())
    reply.type('application/json').send(document)
  })
  await http.register(swaggerUI, {
    routePrefix: '/docs',
    staticCSP: pagePolicy,
    theme: { title: 'Orderly order API' },
    uiConfig: { url: '/openapi.json', validatorUrl: null, deepLinking: true, displayRequestDuration: true }
  })
}
