/** A cluster as curl sees it: one function for a request, one for a stream of events. */
import { TestCluster } from '../../support/cluster.js';

export type Answer = {
  readonly status: number;
  readonly type: string;
  readonly headers: Headers;
  readonly json: Record<string, unknown>;
};

export type ServerEvent = { readonly id: number; readonly event: string; readonly data: string };

const ANSWER_MS_MAX = 40_000;

export class HttpClient {
  readonly #cluster: TestCluster;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
  }

  port(node: number): number {
    return this.#cluster.basePort + 200 + node;
  }

  url(node: number, path: string): string {
    return `http://127.0.0.1:${this.port(node)}${path}`;
  }

  async ask(node: number, path: string, init: RequestInit = {}): Promise<Answer> {
    const signal = AbortSignal.timeout(ANSWER_MS_MAX);
    const response = await fetch(this.url(node, path), { signal, ...init });
    const text = await response.text();
    const type = response.headers.get('content-type')?.split(';')[0] ?? '';
    const json = type.includes('json') && text !== '' ? JSON.parse(text) : { text };
    return { status: response.status, type, headers: response.headers, json };
  }

  post(node: number, path: string, body: string | Buffer, type?: string): Promise<Answer> {
    const headers = type === undefined ? {} : { 'content-type': type };
    return this.ask(node, path, {
      method: 'POST',
      body: new Uint8Array(Buffer.from(body)),
      headers,
    });
  }

  /** Resolves when the stream has begun. It ends when the server ends it, or `signal` does. */
  async events(
    node: number,
    path: string,
    signal: AbortSignal,
    headers: Record<string, string> = {},
  ): Promise<AsyncGenerator<ServerEvent, void>> {
    const response = await fetch(this.url(node, path), { signal, headers });
    if (response.status !== 200) throw new Error(await response.text());
    return eventsOf(response, signal);
  }
}

/** Throws when the stream breaks off without an end. */
async function* eventsOf(
  response: Response,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent, void> {
  let text = '';
  try {
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const fields = new Map(block.split('\n').map((line) => splitAt(line)));
        const event = fields.get('event');
        if (event === undefined) continue;
        yield { id: Number(fields.get('id') ?? -1), event, data: fields.get('data') ?? '' };
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function splitAt(line: string): [string, string] {
  const at = line.indexOf(': ');
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 2)];
}
