// A failure code in, what it means and what to do out, in the words of the line.

/**
 * @typedef {object} Advice
 * @property {number} status HTTP; 0 = found by the page itself, no reply came
 * @property {boolean} retryable the same picture may succeed later
 * @property {string} title what happened
 * @property {string} todo what to do now
 */

/** @type {(status: number, retryable: boolean, title: string, todo: string) => Advice} */
const tell = (status, retryable, title, todo) => ({ status, retryable, title, todo });

/** The codes of the service: service/codes.py has the same, a test compares them. */
export const SERVICE_ERRORS = {
  BAD_REQUEST: tell(400, false, "The request was garbled",
    "Reload the page and send the picture again. If it stays, a proxy in between may be broken: tell the person who looks after the service."),
  BAD_MULTIPART: tell(400, false, "The upload was cut off",
    "Send the picture again. If it stays, check the network cable or the wireless link."),
  TOO_MANY_PARTS: tell(400, false, "Too much was sent at once",
    "Reload the page and send the pictures again; a very long file name may be the cause: shorten it."),
  DUPLICATE_FILE: tell(400, false, "Two pictures came in one request",
    "Reload the page and send the picture again."),
  UNAUTHORIZED: tell(401, false, "This is for the person who looks after the service",
    "It needs the admin token. Pictures can be sent without it."),
  NOT_FOUND: tell(404, false, "There is nothing at this address",
    "Reload the page. If it stays, page and service are of different versions: tell the person who looks after the service."),
  METHOD_NOT_ALLOWED: tell(405, false, "The service does not know this kind of request",
    "Reload the page. If it stays, page and service are of different versions: tell the person who looks after the service."),
  REQUEST_TIMEOUT: tell(408, true, "The upload was too slow",
    "Send it again. If it stays, the network is too slow: check the link, or save the picture as JPEG."),
  PAYLOAD_TOO_LARGE: tell(413, false, "The file is too large",
    "Save the picture as JPEG or PNG, or take it at a lower resolution. The limit is in the header under “Model”."),
  UNSUPPORTED_MEDIA_TYPE: tell(415, false, "The picture did not come as a file",
    "Reload the page and choose the picture again."),
  FILE_REQUIRED: tell(422, false, "No picture came",
    "Choose the picture again; it may have been moved or deleted meanwhile."),
  BAD_PARAMETER: tell(422, false, "The service does not know a setting of this page",
    "Reload the page. If it stays, page and service are of different versions."),
  HEADERS_TOO_LARGE: tell(431, false, "The request was too long",
    "Delete the cookies of this address and reload the page."),
  EMPTY_FILE: tell(422, false, "The file is empty",
    "It has 0 bytes: the camera or the copy failed. Take or copy the picture again."),
  UNSUPPORTED_IMAGE: tell(415, false, "This is no picture that can be read",
    "Send JPEG, PNG, BMP, TIFF or WebP. The content counts: a new file ending changes nothing."),
  IMAGE_CORRUPT: tell(422, false, "The picture is damaged",
    "It is cut off or has wrong bytes. Copy it again from the camera, or take it again."),
  IMAGE_TOO_LARGE: tell(413, false, "The picture has too many pixels",
    "Cut it into parts, or take it at a lower resolution. The limit is in the header under “Model”."),
  IMAGE_DIMENSIONS: tell(422, false, "The picture is too small, too long or too narrow",
    "Send a picture of the whole surface. The smallest and longest sides are in the header under “Model”."),
  MULTI_FRAME: tell(422, false, "The file holds several pictures",
    "It is an animation or has many pages. Save the one that counts as a picture of its own."),
  BIT_DEPTH: tell(422, false, "The picture has a depth that has no rule",
    "Set the camera to 8 bits a channel, or to 16-bit grey, and take it again."),
  MODEL_OUTPUT_INVALID: tell(500, false, "No verdict: the model gave no number",
    "Look at the piece by eye. Keep the picture and tell the person who looks after the model."),
  INFERENCE_FAILED: tell(500, true, "The model could not be run",
    "Send it again. If it stays, look at the piece by eye and tell the person who looks after the service."),
  INTERNAL: tell(500, true, "A fault of the service",
    "Send it again. If it stays, tell the person who looks after the service; the request id below helps them."),
  QUEUE_FULL: tell(503, true, "The service is busy",
    "The page tried several times. Wait a little and press Retry."),
  DRAINING: tell(503, true, "The service is being restarted",
    "Wait until the header says Ready, then press Retry."),
  NOT_READY: tell(503, true, "The service is not ready",
    "It is still starting, or has no model. Wait until the header says Ready, then press Retry."),
  DEADLINE_EXCEEDED: tell(504, true, "It took too long",
    "The service is under heavy load, or the picture is very large. Press Retry a little later."),
  MODEL_REJECTED: tell(422, false, "The new model was refused",
    "The earlier one goes on. This concerns only the person who looks after the model."),
};

/** What only the page can see. */
export const PAGE_ERRORS = {
  NETWORK: tell(0, true, "The service cannot be reached",
    "Check the network cable or the wireless link. The page goes on by itself when the service answers again."),
  TIMEOUT: tell(0, true, "No answer came in time",
    "The service or the network hangs. Press Retry; if it stays, tell the person who looks after the service."),
  BAD_REPLY: tell(0, false, "The answer was not understood",
    "Something between this page and the service answered in its place, such as a proxy. Reload the page."),
  UNREADABLE_FILE: tell(0, false, "The file cannot be read any more",
    "It was moved, changed or deleted after it was chosen. Choose it again."),
  CANCELLED: tell(0, true, "Cancelled",
    "Press Retry to send it after all."),
};

/** @type {Record<string, Advice>} */
export const ERRORS = { ...SERVICE_ERRORS, ...PAGE_ERRORS };

const UNKNOWN = tell(0, false, "An unknown failure",
  "Page and service may be of different versions: reload the page.");

/** What to tell about a code, also one that a later service may send. @returns {Advice} */
export function advise(/** @type {string} */ code) {
  return Object.hasOwn(ERRORS, code) ? ERRORS[code] : UNKNOWN;
}
