import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KafkaError, protocolError, toKafkaError } from './errors.ts'

const [invalidProducerEpoch, notLeader, topicAuthorizationFailed, transactionAbortable] = [47, 6, 29, 120]

test('transient and abortable errors are retryable, and permanent errors of a broker are not', () => {
  const reported = (code: number) => {
    const { code: name, retryable } = protocolError(code, 'writing')
    return [name, retryable]
  }
  assert.deepEqual(reported(notLeader), ['NOT_LEADER_OR_FOLLOWER', true])
  assert.deepEqual(reported(transactionAbortable), ['TRANSACTION_ABORTABLE', true])
  assert.deepEqual(reported(topicAuthorizationFailed), ['TOPIC_AUTHORIZATION_FAILED', false])
  assert.deepEqual(reported(invalidProducerEpoch), ['FENCED', false])
})

test('a KafkaError is returned unchanged, and one of a login is found among the causes', () => {
  const unavailable = new KafkaError('BROKER_UNAVAILABLE', 'away', { retryable: true })
  assert.equal(toKafkaError(unavailable, 'asking'), unavailable)
  const login = new KafkaError('TOKEN_UNAVAILABLE', 'no token', { retryable: true })
  const attempts = new AggregateError([new Error('first'), new Error('second', { cause: login })], 'no broker')
  assert.equal(toKafkaError(attempts, 'asking'), login)
  const other = toKafkaError(new Error('wrapped', { cause: unavailable }), 'asking')
  assert.deepEqual([other.code, other.retryable], ['UNEXPECTED', false])
})
