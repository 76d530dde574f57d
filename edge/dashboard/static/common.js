"use strict";
// What the scripts of several pages share.

/** Create an element with a class and a text. Text from devices is never inserted as HTML. */
function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/**
 * The title and the name of a device or a camera; without a title, the name alone. The two invisible
 * characters isolate the direction of the title's script from the text around it. The same as
 * `display_name` in display_names.py.
 */
function displayName(name, title) {
  return title && title !== name ? `\u2068${title}\u2069 (${name})` : name;
}

/** Texts for the labels; the same as `LABELS` in page_context.py. */
const LABELS = { no_mask: "no mask", incorrect_mask: "mask worn incorrectly", mask: "mask", unsure: "unsure" };

/** A score in per cent. A model is never certain, so it is never 0% or 100%. The same as `format_percent` in percentages.py. */
function percent(score) {
  const whole = Math.round(100 * score);
  return whole >= 100 ? ">99%" : whole <= 0 ? "<1%" : `${whole}%`;
}

/** The label of a face with its score; a face about which the model says nothing has no score. */
function labelWithScore(face) {
  const text = LABELS[face.label] || face.label;
  return face.label === "unsure" ? text : `${text} ${percent(face.score)}`;
}

/** Open the log-in page, which leads back to this page. */
function logIn() {
  location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
}

/** The text with a capital first letter and a full stop, unless it ends like a sentence. */
function sentence(text) {
  const capitalised = text.slice(0, 1).toUpperCase() + text.slice(1);
  return /[.?!…]$/.test(capitalised) ? capitalised : `${capitalised}.`;
}
