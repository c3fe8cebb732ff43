// Light or dark, before anything is painted: a classic script in the head. Without a choice of the reader's the system's
// wish holds, which the style sheet follows by itself.
(function () {
  try {
    const chosen = localStorage.getItem("bertha.theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // No storage: the system's wish holds.
  }
})();
