import type { FastifyInstance } from 'fastify'

export interface ApiDescription {
  readonly title: string
  /** Markdown. */
  readonly description: string
  readonly tags: { readonly name: string; readonly description: string }[]
  readonly securitySchemes: Record<
    string,
    { readonly type: 'http'; readonly scheme: string; readonly description: string }
  >
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the document says instead of what is validated, where a handler checks the parts of a body by itself. */
    describedAs?: { readonly body: unknown }
  }
}

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

/** `GET /openapi.json`, and `/docs` to browse it: what the routes that are added after this say about themselves. */
export async function addOpenApi(http: FastifyInstance, api: ApiDescription): Promise<void> {
  const { title, description, tags, securitySchemes } = api
  // Services without an API do not load them.
  const [{ default: swagger }, { default: swaggerUI }] = await Promise.all([
    import('@fastify/swagger'),
    import('@fastify/swagger-ui')
  ])
  await http.register(swagger, {
    refResolver: {
      buildLocalReference: (schema, _baseURI, _fragment, index) => String(schema.$id ?? `schema-${index}`)
    },
    transform: ({ schema, url, route }) => ({ schema: { ...schema, ...route.config?.describedAs }, url }),
    openapi: {
      openapi: '3.1.0',
      info: {
        title,
        version: '1.0.0',
        description,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' }
      },
      servers: [{ url: '/' }],
      tags,
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
    theme: { title },
    uiConfig: { url: '/openapi.json', validatorUrl: null, deepLinking: true, displayRequestDuration: true }
  })
}
