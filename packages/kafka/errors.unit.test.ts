import assert from 'node:assert/strict'
import { test } from 'node:test'
import { protocolError } from './errors.ts'

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
