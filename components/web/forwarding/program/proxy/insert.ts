import { Transform } from "node:stream";

/** How much of a page is looked at, in bytes: before that its head has begun, or it has none. */
const lookahead = 64 * 1024;

/** Puts a text, in ASCII, before all else. */
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

/** Puts a text, in ASCII, at the start of a page's head. Keeps back no more of the page than what stands before that. */
export function insertAfterHead(text: string): Transform {
  let start: Buffer | undefined = Buffer.alloc(0);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (start === undefined) {
        done(null, chunk);
        return;
      }
      start = Buffer.concat([start, chunk]);
      const { at, isSure } = placeInHead(start.toString("latin1", 0, lookahead));
      if (isSure || start.length >= lookahead) {
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

/** What may stand before the first element of a head. */
const beforeHead =
  /(?:\xef\xbb\xbf|\s|<!--(?:-?>|[\s\S]*?--!?>)|<[!?](?!--)[^>]*>|<(?:html|head)(?=[\s/>])(?:"[^"]*"|'[^']*'|[^>"'])*>)/iy;
/** It may become one of these when more has come. */
const unfinished = /^(?:$|\xef|<(?:$|[!?]|h$|ht$|htm$|html$|html[\s/]|he$|hea$|head$|head[\s/]))/i;

/**
 * Where the head of a page begins, in characters.
 *
 * @param text the page, or its start
 * @returns sure: whether more of the page could not lead elsewhere
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
