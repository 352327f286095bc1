import type { FastifyInstance } from 'fastify'
import { refused } from './answers.ts'
import {
  type ApiAddresses,
  type ApiName,
  apiPagePath,
  apiPagePolicy,
  documentList,
  favicon,
  logo,
  otherDocuments,
  pagePlugin
} from './api-page.ts'
import { problemTypes } from './problem-types.ts'

export interface ApiDescription {
  readonly name: ApiName
  readonly title: string
  /** Description in Markdown. */
  readonly description: string
  readonly tags: { readonly name: string; readonly description: string }[]
  readonly securitySchemes: Record<
    string,
    { readonly description: string } & (
      | { readonly type: 'http'; readonly scheme: string }
      | { readonly type: 'apiKey'; readonly in: 'query'; readonly name: string }
    )
  >
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Addresses of the services with an API, as far as they are known. */
    readonly apiAddresses: ApiAddresses
  }
  interface FastifyContextConfig {
    /**
     * Body schema for the document, for routes whose handler validates the parts of a body itself.
     */
    describedAs?: { readonly body: unknown }
  }
}

/** Responses of every operation to a request whose head is refused before it reaches the route. */
const refusedBeforeRouting = Object.fromEntries(
  (['REQUEST_TIMEOUT', 'EXPECTATION_FAILED', 'HOST_NOT_ALLOWED', 'HEADERS_TOO_LARGE'] as const).map(code => {
    const { status, when } = problemTypes[code]
    return [status, refused(when)]
  })
)

/**
 * Adds `GET /openapi.json`, which describes all routes added after this call, and the page `/docs`
 * with the APIs of all services.
 */
export async function addOpenApi(http: FastifyInstance, api: ApiDescription): Promise<void> {
  const { name, title, description, tags, securitySchemes } = api
  // Imported here, so that services without an API do not load these modules.
  const [{ default: swagger }, { default: swaggerUI }] = await Promise.all([
    import('@fastify/swagger'),
    import('@fastify/swagger-ui')
  ])
  await http.register(swagger, {
    refResolver: {
      buildLocalReference: (schema, _baseURI, _fragment, index) => String(schema.$id ?? `schema-${index}`)
    },
    transform: ({ schema, url, route }) => ({
      schema: {
        ...schema,
        ...route.config?.describedAs,
        response: { ...refusedBeforeRouting, ...(schema.response as object) }
      },
      url
    }),
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
  for (const { path, read } of otherDocuments(name, http.apiAddresses)) {
    let text: string | undefined
    http.get(path, { schema: { hide: true } }, (_request, reply) => {
      text ??= read()
      reply.type('application/json').send(text)
    })
  }
  await http.register(swaggerUI, {
    routePrefix: apiPagePath,
    staticCSP: apiPagePolicy,
    theme: { title: 'Orderly API', favicon: [favicon] },
    logo,
    uiConfig: {
      urls: documentList(name),
      'urls.primaryName': name,
      plugins: [pagePlugin],
      validatorUrl: null,
      deepLinking: true,
      displayRequestDuration: true,
      tryItOutEnabled: true
    } as object
  })
}
