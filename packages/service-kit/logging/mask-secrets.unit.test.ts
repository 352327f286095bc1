import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { recordLog } from '../testing/index.ts'
import { maskSecrets } from './mask-secrets.ts'

describe('maskSecrets', () => {
  for (const [text, masked] of [
    ['http://user:secret@host:8081/apis?x=1', 'http://***@host:8081/apis?x=1'],
    ['postgres://u:se@cret/with:all?of#it@host/db', 'postgres://***@host/db'],
    ['https://token@host/', 'https://***@host/'],
    ['https://user:@host', 'https://***@host'],
    [
      'postgres://host/db?user=u&password=se@cret/&sslmode=verify-full',
      'postgres://host/db?user=u&password=***&sslmode=verify-full'
    ],
    ['postgres://host/db?sslpassword=secret', 'postgres://host/db?sslpassword=***'],
    ['http://host/?access_token=secret&a=b', 'http://host/?access_token=***&a=b'],
    ['cannot read http://a:secret@b, nor http://c:secret@d', 'cannot read http://***@b, nor http://***@d'],
    ['http://host:8081/path', 'http://host:8081/path'],
    ['at file:///app/node_modules/@orderly/kafka/x.ts', 'at file:///app/node_modules/@orderly/kafka/x.ts'],
    ['write to a@b.example', 'write to a@b.example']
  ] as const) {
    test(`masks ${text}`, () => {
      assert.equal(maskSecrets(text), masked)
      assert.ok(!masked.includes('secret'))
    })
  }

  test('any password of visible characters is masked in text and in log lines', () => {
    const password = fc.stringMatching(/^[!-~]{8,30}$/).filter(text => !/^[*@/&]*$/.test(text))
    fc.assert(
      fc.property(password, secret => {
        const error = Object.assign(new Error(`cannot reach http://user:${secret}@host:1/x`), {
          input: `db://:${secret}@h`
        })
        assert.equal(maskSecrets(error.message), 'cannot reach http://***@host:1/x')
        const { logger, lines } = recordLog()
        logger.error({ error, url: `https://${secret}@h` }, `failed for amqp://u:${secret}@h`)
        assert.equal(lines.length, 1, 'still JSON')
        assert.ok(!JSON.stringify(lines).includes(JSON.stringify(secret).slice(1, -1)), JSON.stringify(lines))
      })
    )
  })
})
