// Places where a picture is dropped or chosen, with a look at it.

const TYPES = ["image/png", "image/jpeg", "image/webp"];

document.addEventListener("dragover", (event) => {
  const place = event.target.closest("[data-drop]");
  if (!place) return;
  event.preventDefault();
  place.classList.add("drop-over");
});

document.addEventListener("dragleave", (event) => {
  const place = event.target.closest("[data-drop]");
  if (place && !place.contains(event.relatedTarget)) place.classList.remove("drop-over");
});

document.addEventListener("drop", (event) => {
  const place = event.target.closest("[data-drop]");
  if (!place) return;
  event.preventDefault();
  place.classList.remove("drop-over");
  const file = [...event.dataTransfer.files].find((candidate) => TYPES.includes(candidate.type));
  if (!file) return;
  const input = place.querySelector('input[type="file"]');
  const transfer = new DataTransfer();
  transfer.items.add(file);
  input.files = transfer.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
});

document.addEventListener("change", (event) => {
  const place = event.target.closest("[data-drop]");
  if (place && event.target.type === "file") show(place, event.target.files[0]);
});

document.addEventListener("click", (event) => {
  const clear = event.target.closest("[data-drop-clear]");
  if (!clear) return;
  const around = clear.closest("[data-reference]");
  around.querySelector('input[type="file"]').value = "";
  around.querySelector("[data-own]").value = "";
  show(around.querySelector("[data-drop]"), undefined);
});

/** Show a chosen file in its place; without one the place is empty again. */
function show(place, file) {
  const picture = place.querySelector("[data-drop-shown]");
  if (picture.src.startsWith("blob:")) URL.revokeObjectURL(picture.src);
  picture.hidden = !file;
  if (file) picture.src = URL.createObjectURL(file);
  else picture.removeAttribute("src");
  const around = place.closest("[data-reference], [data-scene]");
  const more = around?.querySelector("[data-drop-more]");
  if (more) more.hidden = !file;
  const own = around?.querySelector("[data-own]");
  if (own && file) own.value = "";
}
