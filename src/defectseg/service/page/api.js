// The service's addresses: a file in, its result or a failure out; nothing here touches the page.

const TIMEOUT_MS = 120_000; // of one picture, upload and wait together
const ASK_TIMEOUT_MS = 8_000; // of /ready and /v1/model

/** Why there is no result. */
export class ApiFailure extends Error {
  /**
   * @param {string} code of errors.js
   * @param {string} message the service's words
   * @param {{requestId?: string, retryable?: boolean, retryAfterS?: number, status?: number}} more
   */
  constructor(code, message, { requestId = "", retryable = false, retryAfterS = 0, status = 0 } = {}) {
    super(message);
    this.code = code;
    this.requestId = requestId;
    this.retryable = retryable;
    this.retryAfterS = retryAfterS;
    this.status = status;
  }
}

/**
 * Send one picture.
 *
 * @param {Blob} file
 * @param {{name: string, heat?: boolean, signal: AbortSignal, onProgress?: (fraction: number) => void}} how
 * @returns {Promise<any>} as in `POST /v1/analyze`
 * @throws {ApiFailure}
 */
export function analyze(file, { name, heat = false, signal, onProgress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch cannot tell how far an upload is
    const form = new FormData();
    form.append("image_id", name);
    form.append("image", file, "picture"); // the name travels in image_id
    request.open("POST", `/v1/analyze?mask=rle&heat=${heat}`);
    request.timeout = TIMEOUT_MS;
    request.upload.onprogress = (event) => event.lengthComputable && onProgress?.(event.loaded / event.total);
    request.upload.onload = () => onProgress?.(1);
    request.onload = () => {
      try {
        resolve(readReply(request.status, request.responseText, (key) => request.getResponseHeader(key)));
      } catch (failure) {
        reject(failure);
      }
    };
    request.onerror = () => unreachable(file).then(reject);
    request.ontimeout = () => reject(new ApiFailure("TIMEOUT", "no answer within 120 s", { retryable: true }));
    request.onabort = () => reject(new ApiFailure("CANCELLED", "cancelled on this page"));
    if (signal.aborted) return reject(new ApiFailure("CANCELLED", "cancelled on this page"));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}

/** A browser says the same of a lost link and of a file that is gone: ask the file. */
async function unreachable(/** @type {Blob} */ file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    return new ApiFailure("UNREADABLE_FILE", "the browser cannot read the file");
  }
  return new ApiFailure("NETWORK", "no answer from the service", { retryable: true });
}

/**
 * A reply → its object.
 *
 * @param {number} status HTTP
 * @param {string} body
 * @param {(name: string) => string | null} header
 * @throws {ApiFailure} it is no success
 */
export function readReply(status, body, header) {
  let content;
  try {
    content = JSON.parse(body);
  } catch {
    content = null;
  }
  if (status === 200 && content) return content;
  const error = content?.error;
  if (!error?.code) throw new ApiFailure("BAD_REPLY", `HTTP status ${status} without our envelope`, { status });
  throw new ApiFailure(String(error.code), String(error.message), {
    requestId: String(error.request_id ?? ""),
    retryable: error.retryable === true,
    retryAfterS: Math.max(0, Number(header("Retry-After")) || 0),
    status,
  });
}

/** GET an object of the service. @returns {Promise<any>} @throws {ApiFailure} */
export async function ask(/** @type {string} */ address) {
  let reply;
  let body;
  try {
    reply = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(ASK_TIMEOUT_MS) });
    body = await reply.text();
  } catch {
    throw new ApiFailure("NETWORK", "no answer from the service", { retryable: true });
  }
  return readReply(reply.status, body, (name) => reply.headers.get(name));
}
