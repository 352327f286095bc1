import { orUnavailable, runStatement, type Statement } from '@orderly/postgres'
import type { Pool, PoolClient } from 'pg'
import type { OrderChange } from '../domain/order-change.ts'
import type { TopicNumbers } from './order-columns.ts'

/** Known topic numbers per connection. Numbers never change, so each id is looked up once. */
const known = new WeakMap<Pool | PoolClient, Map<string, number>>()

/** Returns the numbers of the topics of these changes. Assigns a number to a new topic. */
export async function topicNumbers(on: Pool | PoolClient, changes: readonly OrderChange[]): Promise<TopicNumbers> {
  const numbers = known.get(on) ?? new Map<string, number>()
  known.set(on, numbers)
  const unknown = new Set<string>()
  for (const { created, decided, confirmed, released } of changes) {
    for (const place of [created, decided, confirmed, released])
      if (place?.topicID !== undefined && !numbers.has(place.topicID)) unknown.add(place.topicID)
  }
  if (unknown.size === 0) return numbers
  await orUnavailable(runStatement(on, addTopics([...unknown])))
  const { rows } = await orUnavailable(runStatement(on, findTopics([...unknown])))
  for (const { topic_id, number } of rows) numbers.set(topic_id, number)
  return numbers
}

function addTopics(topicIDs: readonly string[]): Statement {
  return {
    name: 'add topics',
    text: 'INSERT INTO orders.topics (topic_id) SELECT id::uuid FROM unnest($1::text[]) AS id ON CONFLICT DO NOTHING',
    values: [topicIDs]
  }
}

function findTopics(topicIDs: readonly string[]): Statement {
  return {
    name: 'find topics',
    text: 'SELECT topic_id, number FROM orders.topics WHERE topic_id = ANY(ARRAY(SELECT id::uuid FROM unnest($1::text[]) AS id))',
    values: [topicIDs]
  }
}
