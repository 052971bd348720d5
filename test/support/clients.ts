/**
 * Where `.ci/run` puts the clients and tools that npm does not install with the project, and what
 * to say when they are not there.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { missingCommand } from './requires.js';

const CACHE =
  process.env['LOGRAFT_CACHE'] ??
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'lograft');

/** Apache Kafka's jars: client, broker, tools, and the message definitions inside. */
export const KAFKA_LIBS = join(CACHE, 'kafka/libs');
const RDKAFKA = join(CACHE, 'rdkafka');

export function missingKafkaJars(): string | null {
  if (!existsSync(join(CACHE, 'kafka/fetched.pom.xml'))) {
    return `Apache Kafka's jars are not in ${KAFKA_LIBS} (.ci/run fetches them)`;
  }
  return missingCommand('java', 'apt-get install default-jdk-headless');
}

export function missingJavaClient(): string | null {
  return missingKafkaJars() ?? missingCommand('javac', 'apt-get install default-jdk-headless');
}

export function missingRdkafka(): string | null {
  const found = existsSync(join(RDKAFKA, 'node_modules/@confluentinc/kafka-javascript'));
  return found ? null : `librdkafka for Node is not in ${RDKAFKA} (.ci/run installs it)`;
}

/** The module itself; its types are those of another package, so the caller states what it uses. */
export function loadRdkafka<T>(): T {
  const requireThere = createRequire(join(RDKAFKA, 'package.json'));
  return requireThere('@confluentinc/kafka-javascript') as T;
}

/** Arguments of `java` in front of a class name; quiet but for warnings. */
export function javaArguments(classpath: readonly string[] = []): string[] {
  const config = join(CACHE, 'kafka/log4j2.properties');
  return [
    '-Xmx256M',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    `-Dlog4j2.configurationFile=${config}`,
    '-cp',
    [...classpath, `${KAFKA_LIBS}/*`].join(':'),
  ];
}
