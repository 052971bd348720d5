/**
 * A disk in memory for control-plane tests: whole files by path, syncs complete when `settle` runs.
 */
import type { ControlDisk, ControlFile } from '#src/control/ports.js';

export class MemoryDisk implements ControlDisk {
  readonly files = new Map<string, Buffer>();
  readonly #open = new Map<number, string>();
  #waiting: (() => void)[] = [];
  #nextFd = 3;
  openFiles = 0;

  openFile(path: string, mode: 'read' | 'create'): ControlFile {
    if (!this.files.has(path)) {
      if (mode === 'read') throw Object.assign(new Error(`ENOENT ${path}`), { code: 'ENOENT' });
      this.files.set(path, Buffer.alloc(0));
    }
    const fd = this.#nextFd++;
    this.#open.set(fd, path);
    this.openFiles++;
    return { fd, path };
  }

  close(file: ControlFile): void {
    if (this.#open.delete(file.fd)) this.openFiles--;
  }

  writeAt(file: ControlFile, at: number, bytes: Uint8Array, start: number, length: number): void {
    const old = this.files.get(file.path) as Buffer;
    const grown = Buffer.alloc(Math.max(old.length, at + length));
    grown.set(old);
    grown.set(bytes.subarray(start, start + length), at);
    this.files.set(file.path, grown);
  }

  readAt(file: ControlFile, at: number, bytes: Uint8Array, start: number, length: number): number {
    const part = (this.files.get(file.path) as Buffer).subarray(at, at + length);
    bytes.set(part, start);
    return part.length;
  }

  fileSize(path: string): number {
    return this.files.get(path)?.length ?? -1;
  }

  syncLater(_file: ControlFile, done: (error: Error | null) => void): void {
    this.#waiting.push(() => done(null));
  }

  /** Completes every sync that was asked for. */
  settle(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done();
  }

  syncNow(): void {}
  syncDirectory(): void {}
  makeDirectory(): void {}

  rename(from: string, to: string): void {
    this.files.set(to, this.files.get(from) as Buffer);
    this.files.delete(from);
  }

  unlink(path: string): void {
    this.files.delete(path);
  }

  list(path: string): string[] {
    const prefix = `${path}/`;
    return [...this.files.keys()]
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length))
      .sort();
  }
}
