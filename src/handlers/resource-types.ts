/** Kafka's numbers of what a config belongs to. */
export const RESOURCE_TOPIC = 2;
export const RESOURCE_BROKER = 4;
