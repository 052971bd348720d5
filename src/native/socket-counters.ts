/** What a socket layer counts, as native code writes it down. Pure. */

export type SocketCounters = {
  bytesIn: number;
  bytesOut: number;
  framesIn: number;
  /** Frames that were put together from several reads, and those with a buffer of their own. */
  framesCarried: number;
  framesBig: number;
  /** Calls into TypeScript. */
  turns: number;
  readCalls: number;
  writevCalls: number;
  sendfileCalls: number;
  sendfileBytes: number;
  /** Bytes of file ranges that went through memory. */
  copiedRangeBytes: number;
  accepted: number;
  opened: number;
  closed: number;
  connections: number;
  readPauses: number;
  /** Accepting stopped for a moment: (almost) no descriptor was free. */
  acceptBackoffs: number;
  /** Whether large ranges leave by sendfile here; false where only plain reads exist. */
  hasSendfile: boolean;
  /** Times that bytes to be sent had to be read from the disk first, beside the loop. */
  coldRanges: number;
};

/** In the order of FillCounters in native/core/socket_layer.cc. */
export function toCounters(into: Float64Array): SocketCounters {
  const at = (index: number): number => into[index] ?? 0;
  return {
    bytesIn: at(0),
    bytesOut: at(1),
    framesIn: at(2),
    framesCarried: at(3),
    framesBig: at(4),
    turns: at(5),
    readCalls: at(6),
    writevCalls: at(7),
    sendfileCalls: at(8),
    sendfileBytes: at(9),
    copiedRangeBytes: at(10),
    accepted: at(11),
    opened: at(12),
    closed: at(13),
    connections: at(14),
    readPauses: at(15),
    acceptBackoffs: at(16),
    hasSendfile: at(17) === 1,
    coldRanges: at(18),
  };
}
