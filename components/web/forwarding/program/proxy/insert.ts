import { Transform } from "node:stream";

// Why own code: parse5-html-rewriting-stream 8.0.1 reads every page to its end, 101 ms of processor time for 1 MB against
// 0.7 ms here, and parse5's parsers report a text only when the next tag begins, so a page that starts with text would
// be held back. Both find the same place, except in tags that are broken anyway.

/** The part of a page that is searched for its head, in bytes. A head that starts later is ignored. */
const lookahead = 64 * 1024;
/** The number of chunks that are searched. Each search reads all chunks again, and an agent can send single bytes. */
const mostChunks = 256;

/** Inserts ASCII text before everything else. */
export function insertAtStart(text: string): Transform {
  let isIn = false;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (!isIn) this.push(text);
      isIn = true;
      done(null, chunk);
    },
    flush(done) {
      done(null, isIn ? undefined : text);
    },
  });
}

/** Inserts ASCII text at the start of a page's head. Buffers only the part of the page before that. */
export function insertAfterHead(text: string): Transform {
  let start: Buffer | undefined = Buffer.alloc(0);
  let chunks = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (start === undefined) {
        done(null, chunk);
        return;
      }
      start = Buffer.concat([start, chunk]);
      chunks += 1;
      const { at, isSure } = placeInHead(start.toString("latin1", 0, lookahead));
      if (isSure || start.length >= lookahead || chunks >= mostChunks) {
        this.push(inserted(start, at, text));
        start = undefined;
      }
      done();
    },
    flush(done) {
      if (start === undefined) done();
      else done(null, inserted(start, placeInHead(start.toString("latin1", 0, lookahead)).at, text));
    },
  });
}

/** What may precede the first element of a head. */
const beforeHead =
  /(?:\xef\xbb\xbf|\s|<!--(?:-?>|[\s\S]*?--!?>)|<[!?](?!--)[^>]*>|<(?:html|head)(?=[\s/>])(?:"[^"]*"|'[^']*'|[^>"'])*>)/iy;
/** A possible prefix of one of these, which needs more data. */
const unfinished = /^(?:$|\xef|<(?:$|[!?]|h$|ht$|htm$|html$|html[\s/]|he$|hea$|head$|head[\s/]))/i;

/**
 * Finds where the head of a page begins, in characters.
 *
 * @param text the page, or its start
 * @returns isSure: whether more of the page can't change the result
 */
export function placeInHead(text: string): { readonly at: number; readonly isSure: boolean } {
  let at = 0;
  for (;;) {
    beforeHead.lastIndex = at;
    const found = beforeHead.exec(text)?.[0];
    if (found === undefined) return { at, isSure: !unfinished.test(text.slice(at, at + 16)) };
    at += found.length;
    if (/^<head/i.test(found)) return { at, isSure: true };
  }
}

function inserted(page: Buffer, at: number, text: string): Buffer {
  return Buffer.concat([page.subarray(0, at), Buffer.from(text, "latin1"), page.subarray(at)]);
}
