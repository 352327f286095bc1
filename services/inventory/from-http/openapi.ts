import swagger from '@fastify/swagger'
import { securitySchemes } from '@orderly/callers'
import type { FastifyInstance } from 'fastify'

/** `GET /openapi.json`: what the routes that are added after this say about themselves. */
export async function addOpenApi(http: FastifyInstance): Promise<void> {
  await http.register(swagger, {
    refResolver: {
      buildLocalReference: (schema, _baseURI, _fragment, index) => String(schema.$id ?? `schema-${index}`)
    },
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Orderly inventory API',
        version: '1.0.0',
        description:
          'Keep stock. Problems are told as RFC 9457 describes (application/problem+json). Operators send an API key, `Authorization: Bearer orderly_…`; services that run with `API_KEYS=off` ask for none.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' }
      },
      servers: [{ url: '/' }],
      tags: [{ name: 'stock', description: 'What there is of each SKU, and how it came to be.' }],
      components: { securitySchemes }
    }
  })
  let document: string | undefined
  http.get('/openapi.json', { schema: { hide: true } }, (_request, reply) => {
    document ??= JSON.stringify(http.swagger())
    reply.type('application/json').send(document)
  })
}
