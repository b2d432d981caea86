// The choice auto, light or dark, before the page is painted; a plain script, so that it runs first.

(() => {
  const KEY = "defectseg.theme";
  const NAMES = ["auto", "light", "dark"];
  let name = "auto";
  try {
    name = localStorage.getItem(KEY) ?? "auto";
  } catch {
    // A browser may forbid it: the choice then lasts until the page is closed.
  }

  const apply = () => {
    if (!NAMES.includes(name)) name = "auto";
    document.documentElement.dataset.theme = name;
    const button = document.getElementById("theme");
    const word = document.getElementById("theme-word");
    if (!button || !word) return;
    word.textContent = name[0].toUpperCase() + name.slice(1);
    button.setAttribute("aria-label", `Colours: ${name}. Change`);
  };

  const next = () => {
    name = NAMES[(NAMES.indexOf(name) + 1) % NAMES.length];
    try {
      localStorage.setItem(KEY, name);
    } catch {
      // As above.
    }
    apply();
  };

  apply();
  document.addEventListener("DOMContentLoaded", () => {
    apply();
    document.getElementById("theme")?.addEventListener("click", next);
  });
})();
