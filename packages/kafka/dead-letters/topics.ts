const suffix = '.dlq'

/** Returns the name of the dead-letter topic of a topic. */
export const deadLetterTopic = (topic: string): string => `${topic}${suffix}`

export const isDeadLetterTopic = (topic: string): boolean => topic.endsWith(suffix)
