// The storyboard: scenes are added, removed and put in another order.

const board = document.querySelector("[data-scenes]");

function scenes() {
  return [...board.querySelectorAll("[data-scene]")];
}

/** Write the numbers of the scenes, what can be done with each, and how long all are together. */
function renumber() {
  const all = scenes();
  all.forEach((scene, at) => {
    scene.querySelector("[data-scene-title]").textContent = board.dataset.title.replace("{n}", at + 1);
    scene.querySelector('[data-move="-1"]').disabled = at === 0;
    scene.querySelector('[data-move="1"]').disabled = at === all.length - 1;
    scene.querySelector("[data-remove]").disabled = all.length === 1;
  });
  document.querySelector("[data-add-scene]").disabled = all.length >= Number(board.dataset.most);
  document.getElementById("transition")?.closest(".field").toggleAttribute("hidden", all.length < 2);
  const seconds = all.reduce((sum, scene) => sum + Number(scene.querySelector("[data-seconds]").value), 0);
  const length = document.querySelector("[data-length]");
  length.textContent = length.dataset.text.replace("{n}", Math.round(seconds * 10) / 10);
}

function addScene() {
  const part = document.querySelector("[data-scene-template]").content.cloneNode(true);
  board.append(part);
  renumber();
  scenes().at(-1).querySelector("textarea").focus();
}

function move(scene, step) {
  const other = step < 0 ? scene.previousElementSibling : scene.nextElementSibling;
  if (!other) return;
  if (step < 0) other.before(scene);
  else other.after(scene);
  renumber();
}

if (board) {
  document.addEventListener("click", (event) => {
    const scene = event.target.closest("[data-scene]");
    const mover = event.target.closest("[data-move]");
    if (event.target.closest("[data-add-scene]")) addScene();
    else if (scene && mover) {
      move(scene, Number(mover.dataset.move));
      (mover.disabled ? scene.querySelector("[data-move]:enabled") : mover)?.focus();
    } else if (scene && event.target.closest("[data-remove]")) {
      const next = scene.nextElementSibling ?? scene.previousElementSibling;
      scene.remove();
      renumber();
      next?.querySelector("textarea").focus();
    }
  });
  document.addEventListener("input", (event) => {
    if (event.target.closest("[data-seconds]")) renumber();
  });
  document.addEventListener("htmx:afterSettle", () => {
    const most = document.querySelector("[data-fields]")?.dataset.mostSeconds;
    for (const field of board.querySelectorAll("[data-seconds]")) if (most) field.max = most;
    renumber();
  });
  renumber();
}
