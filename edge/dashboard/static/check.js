"use strict";
// Uploads the pictures that were dropped or chosen, one after the other, and shows the answers.
// A picture that the dashboard would refuse, but the browser can show, is converted first.

/** The number of the face at `index` before `text`; a single face has none. The same as in the picture, see annotate.py. */
const numbered = (faces, index, text) => (faces.length > 1 ? `${index + 1} ${text}` : text);

/** Fill `list` with the faces and all their scores. */
function listFaces(list, faces) {
  list.replaceChildren(...faces.map((face, index) => {
    const item = make("li");
    const scores = Object.entries(face.scores).map(([label, score]) => `${LABELS[label] || label} ${percent(score)}`);
    item.append(make("span", face.label, numbered(faces, index, labelWithScore(face))),
      " ", make("span", "more", `(${scores.join(", ")}; ${face.box[2]} × ${face.box[3]} pixels at ${face.box[0]}, ${face.box[1]})`));
    return item;
  }));
}

{
  const drop = byName("drop"), files = byName("files"), results = byName("results");
  function byName(id) { return document.getElementById(id); }

  const MAX_PIXELS = Number(drop.dataset.maxPixels), MAX_BYTES = Number(drop.dataset.maxBytes);
  const ACCEPTED = ["image/jpeg", "image/png", "image/webp", "image/bmp"], QUALITY = 0.92;

  /** Return the picture in `file` as an image element, or null if the browser cannot show it. */
  async function show(file) {
    const image = make("img");
    const address = URL.createObjectURL(file);
    try {
      await new Promise((loaded, failed) => {
        image.onload = loaded;
        image.onerror = failed;
        image.src = address;
      });
      return image;
    } catch {
      return null;
    } finally {
      URL.revokeObjectURL(address);
    }
  }

  /** Return what to upload, and a note if that is not `file` itself but a smaller JPEG of it. */
  async function prepare(file) {
    const unchanged = { body: file, note: "" };
    const image = await show(file);
    if (!image || !image.naturalWidth || !image.naturalHeight) return unchanged;
    const width = image.naturalWidth, height = image.naturalHeight;
    const scale = Math.min(1, Math.sqrt(MAX_PIXELS / (width * height)));
    if (scale === 1 && file.size <= MAX_BYTES && ACCEPTED.includes(file.type)) return unchanged;
    const canvas = make("canvas");
    canvas.width = Math.max(1, Math.floor(width * scale));
    canvas.height = Math.max(1, Math.floor(height * scale));
    const context = canvas.getContext("2d");
    if (!context) return unchanged;
    context.fillStyle = "white";  // JPEG has no transparency
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    const body = await new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
    const note = `; scaled down from ${width} × ${height} to ${canvas.width} × ${canvas.height} pixels`;
    return body ? { body, note: scale < 1 ? note : "" } : unchanged;
  }

  /** What the answer alone does not say: why there may be no face, and what "unsure" means. */
  function explain(body) {
    if (!body.faces.length) {
      return [`Faces are found from a width of ${body.min_face_px} pixels on in a picture of this size, `
        + "if they look roughly towards the camera. A face may be missed if it is smaller, turned away, dark, blurred or mostly covered. "
        + "Try a picture that was taken closer or in better light, or cut out the part with the face."];
    }
    if (!body.faces.some((face) => face.label === "unsure")) return [];
    return [`Unsure: the scores are too low for any label. A device raises an alert from a score of ${percent(body.alert_threshold)} on.`];
  }

  async function checkOne(file) {
    const result = make("article", "result");
    const status = make("p", "more", "Checking …");
    result.append(make("h3", "", file.name), status);
    results.prepend(result);
    let body, upload;
    try {
      upload = await prepare(file);
      const response = await fetch("/check/picture", {
        method: "POST", body: upload.body,
        headers: { "content-type": "application/octet-stream", "x-name": encodeURIComponent(file.name) },
      });
      if (response.status === 401) { logIn(); return; }
      const json = (response.headers.get("content-type") || "").includes("json");
      if (json) body = await response.json();
      if (!response.ok || !json) throw new Error(body?.error || `The dashboard answers with error ${response.status}.`);
    } catch (error) {
      status.remove();
      const text = error instanceof TypeError
        ? "The upload failed: the picture is too large, or the dashboard does not answer." : error.message;
      result.append(make("p", "error", text));
      return;
    }
    const bytes = Uint8Array.from(atob(body.annotated), (c) => c.charCodeAt(0));
    const address = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    const count = body.faces.length === 1 ? "1 face" : `${body.faces.length} faces`;
    const picture = make("img");
    picture.src = address;
    picture.alt = body.faces.length ? `The picture with ${count} marked` : "The picture, in which no face was found";
    const list = make("ul", "faces");
    listFaces(list, body.faces);
    const save = make("a", "button", "Download");
    save.href = address;
    save.download = `${file.name.replace(/\.[^.]*$/, "")}-checked.jpg`;
    save.setAttribute("aria-label", `Download ${save.download}`);
    status.textContent = (body.faces.length === 0 ? "No face was found" : count) + upload.note;
    result.append(picture, status, list, ...explain(body).map((text) => make("p", "more", text)), save);
  }

  async function checkAll(list) {
    for (const file of list) await checkOne(file);
  }

  files.addEventListener("change", () => { checkAll([...files.files]); files.value = ""; });
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); checkAll([...event.dataTransfer.files]); });
}
