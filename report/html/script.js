"use strict";
const tools = document.querySelector(".tools");
const search = document.querySelector("#search");
const count = document.querySelector(".count");
const objects = Array.from(document.querySelectorAll("details.object"), (element) => ({
  element, text: element.textContent.toLowerCase(),
}));

// Each word has to be there, in any order.
function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const { element, text } of objects) {
    element.hidden = !words.every((word) => text.includes(word));
    shown += element.hidden ? 0 : 1;
  }
  count.textContent = words.length ? `${shown} of ${objects.length} shown` : `${objects.length} in all`;
}

function openAll(open) {
  for (const { element } of objects) {
    if (!element.hidden) element.open = open;
  }
}

// A link to a page may say what to search for: report.html#miner.
function follow() {
  try {
    search.value = decodeURIComponent(location.hash.slice(1));
  } catch {
    search.value = "";
  }
  filter();
}

tools.hidden = objects.length === 0;
search.addEventListener("input", filter);
document.querySelector("#open").addEventListener("click", () => openAll(true));
document.querySelector("#close").addEventListener("click", () => openAll(false));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/" && document.activeElement !== search) {
    event.preventDefault();
    search.focus();
  } else if (event.key === "Escape" && search.value) {
    search.value = "";
    filter();
  }
});
window.addEventListener("hashchange", follow);
follow();
