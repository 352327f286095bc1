import type { FastifyInstance } from 'fastify'

export interface ApiDescription {
  readonly title: string
  /** Description in Markdown. */
  readonly description: string
  readonly tags: { readonly name: string; readonly description: string }[]
  readonly securitySchemes: Record<
    string,
    { readonly type: 'http'; readonly scheme: string; readonly description: string }
  >
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Body schema for the document, for routes whose handler validates the parts of a body itself.
     */
    describedAs?: { readonly body: unknown }
  }
}

/** Content security policy of the API page: it may load from and connect to this service only. */
const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  // Swagger UI writes inline styles.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join('; ')

/**
 * Adds `GET /openapi.json` and a page at `/docs` that describe all routes added after this call.
 */
export async function addOpenApi(http: FastifyInstance, api: ApiDescription): Promise<void> {
  const { title, description, tags, securitySchemes } = api
  // Imported here, so that services without an API do not load these modules.
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
