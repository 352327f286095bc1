import assert from 'node:assert/strict'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { createLogger } from './logger.ts'

const evil = 'a\u001b[2J\u009b2J\u202eb\u2028c\nd'

async function linesOf(isPretty: boolean): Promise<string> {
  const destination = new PassThrough({ encoding: 'utf8' })
  const logger = createLogger({ service: 'test', instance: '1', level: 'info', isPretty }, destination)
  let written = ''
  destination.on('data', text => {
    written += text
  })
  logger.warn({ userID: evil, [evil]: { list: [evil] }, error: new Error(evil) }, evil)
  while (!written.endsWith('\n')) await once(destination, 'data')
  return written
}

test('a JSON line contains no control characters except its newline, and parses to the original text', async () => {
  const line = await linesOf(false)
  assert.doesNotMatch(line.trimEnd(), /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u)
  const { userID, msg } = JSON.parse(line)
  assert.deepEqual([userID, msg], [evil, evil])
})

test('a pretty line shows control characters escaped', async () => {
  const text = stripVTControlCharacters(await linesOf(true))
  assert.doesNotMatch(text, /(?!\n)[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u)
  assert.match(text, /test: a\\x1b\[2J\\x9b2J\\u202eb\\u2028c\\x0ad/)
})
