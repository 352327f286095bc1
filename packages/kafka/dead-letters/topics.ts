const suffix = '.dlq'

/** Returns the name of the dead-letter topic of a topic. */
export const deadLetterTopic = (topic: string): string => `${topic}${suffix}`

/** Returns true for the name of a dead-letter topic. */
export const isDeadLetterTopic = (topic: string): boolean => topic.endsWith(suffix)
