// The gallery: jobs are chosen and downloaded together.

const bar = document.querySelector("[data-picked]");

function boxes() {
  return [...document.querySelectorAll('input[form="archive"][name="job"]')];
}

/** Say how many are chosen; no more than one archive may hold. */
function count() {
  const all = boxes();
  const chosen = all.filter((box) => box.checked).length;
  const text = bar.querySelector("[data-picked-text]");
  bar.hidden = chosen === 0;
  text.textContent = text.dataset.text.replace("{n}", chosen);
  const isFull = chosen >= Number(bar.dataset.most);
  for (const box of all) box.disabled = isFull && !box.checked;
  document.querySelector(".grid")?.classList.toggle("is-picking", chosen > 0);
}

document.addEventListener("change", (event) => {
  if (event.target.matches('input[form="archive"]')) count();
});
document.addEventListener("htmx:afterSettle", count);
bar.querySelector("[data-pick-none]").addEventListener("click", () => {
  for (const box of boxes()) box.checked = false;
  count();
});
count();
