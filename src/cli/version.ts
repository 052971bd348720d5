/** `lograft version`: of the package, and of the Node it runs on. */
import { packageVersion } from '../broker/package-version.js';
import { EXIT, type Output } from './output.js';

export function version(output: Output): number {
  const lograft = packageVersion();
  const platform = `${process.platform}-${process.arch}`;
  output.result(
    { version: lograft, node: process.version, platform },
    `lograft ${lograft} (Node ${process.version}, ${platform})`,
  );
  return EXIT.done;
}
