"use strict";
// Pictures that are dropped or chosen: each is sent as it is, and its answer shown.

/** A list of faces with all their scores. */
function listFaces(list, faces) {
  list.replaceChildren(...faces.map((face, number) => {
    const item = make("li");
    const scores = Object.entries(face.scores).map(([label, score]) => `${LABELS[label] || label} ${score.toFixed(2)}`);
    item.append(`Face ${number + 1}: `, make("span", face.label, LABELS[face.label] || face.label),
      ` ${Math.round(100 * face.score)}% `, make("span", "more", `(${scores.join(", ")}; at ${face.box.join(", ")})`));
    return item;
  }));
}

{
  const drop = byName("drop"), files = byName("files"), results = byName("results");
  function byName(id) { return document.getElementById(id); }

  async function checkOne(file) {
    const result = make("article", "result");
    const status = make("p", "more", "Looking …");
    result.append(make("h3", "", file.name), status);
    results.prepend(result);
    let body;
    try {
      const response = await fetch("/check/picture", {
        method: "POST", body: file,
        headers: { "content-type": "application/octet-stream", "x-name": encodeURIComponent(file.name) },
      });
      if (response.status === 401) { location.assign("/login?next=/check"); return; }
      const json = (response.headers.get("content-type") || "").includes("json");
      if (json) body = await response.json();
      if (!response.ok || !json) throw new Error(body?.error || `The dashboard answers ${response.status}.`);
    } catch (error) {
      status.remove();
      const text = error instanceof TypeError
        ? "It could not be sent: it is too large, or the dashboard is away." : error.message;
      result.append(make("p", "error", text));
      return;
    }
    const bytes = Uint8Array.from(atob(body.annotated), (c) => c.charCodeAt(0));
    const address = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    const picture = make("img");
    picture.src = address;
    picture.alt = body.faces.length ? `The picture with ${body.faces.length} faces marked` : "The picture: no face was found";
    const list = make("ul", "faces");
    listFaces(list, body.faces);
    const save = make("a", "button", "Download");
    save.href = address;
    save.download = `${file.name.replace(/\.[^.]*$/, "")}-checked.jpg`;
    status.textContent = body.faces.length === 0 ? "No face was found."
      : body.faces.length === 1 ? "1 face" : `${body.faces.length} faces`;
    result.append(picture, status, list, save);
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
