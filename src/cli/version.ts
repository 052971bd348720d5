/** `lograft version`: of the package, and of the Node it runs on. */
import { readFileSync } from 'node:fs';
import { EXIT, type Output } from './output.js';

export function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

export function version(output: Output): number {
  const lograft = packageVersion();
  const platform = `${process.platform}-${process.arch}`;
  output.result(
    { version: lograft, node: process.version, platform },
    `lograft ${lograft} (Node ${process.version}, ${platform})`,
  );
  return EXIT.done;
}
