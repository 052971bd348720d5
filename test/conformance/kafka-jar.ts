/**
 * Finds Kafka's client jar, which carries Kafka's own message definitions: named by
 * KAFKA_CLIENTS_JAR, lying in the local Maven repository, or fetched there by mvn. For tests;
 * nothing of it is copied.
 */
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../support/command.js';
import { missingCommand } from '../support/requires.js';

const VERSION = '4.3.1';
const REPOSITORY = join(homedir(), '.m2/repository/org/apache/kafka/kafka-clients');
const FETCH_TIMEOUT_MS = 90_000;

/** The path of the jar, or the reason why there is none. */
export async function findClientsJar(): Promise<{ path: string } | { missing: string }> {
  const named = process.env['KAFKA_CLIENTS_JAR'];
  if (named !== undefined) {
    return existsSync(named) ? { path: named } : { missing: `KAFKA_CLIENTS_JAR: no file ${named}` };
  }
  const present = newestInRepository();
  if (present !== null) return { path: present };
  const noMaven = missingCommand('mvn', 'it would fetch the Kafka client jar');
  if (noMaven !== null) return { missing: noMaven };
  const artifact = `-Dartifact=org.apache.kafka:kafka-clients:${VERSION}`;
  const args = ['-B', '-q', 'dependency:get', artifact, '-Dtransitive=false'];
  const { stdout, stderr } = await runCommand('mvn', args, { timeoutMs: FETCH_TIMEOUT_MS });
  const fetched = newestInRepository();
  if (fetched !== null) return { path: fetched };
  const said = `${stdout}${stderr}`.split('\n').find((line) => line.includes('ERROR'));
  return { missing: `mvn could not fetch kafka-clients ${VERSION}: ${said ?? 'no reason given'}` };
}

function newestInRepository(): string | null {
  if (!existsSync(REPOSITORY)) return null;
  const jars = readdirSync(REPOSITORY)
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    .map((version) => join(REPOSITORY, version, `kafka-clients-${version}.jar`));
  return jars.find((path) => existsSync(path)) ?? null;
}
