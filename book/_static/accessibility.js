// What the theme and Sphinx leave out or get wrong, most of it for those who hear the page.
document.addEventListener("DOMContentLoaded", () => {
  const sidebar = document.querySelector(".bd-sidebar-primary");
  sidebar?.setAttribute("role", "region");
  sidebar?.setAttribute("aria-label", "Book");
  for (const summary of document.querySelectorAll("nav summary:not([aria-label])")) {
    const above = summary.closest("li").querySelector("a").textContent.trim();
    summary.setAttribute("aria-label", `Pages under ${above}`);
  }
  // A notebook is to be saved, not read as text; on a page opened from disk browsers show it all the same.
  document.querySelectorAll(".btn-download-source-button").forEach((link) => (link.download = ""));
  // Roles of references that ARIA no longer has, and a list of items that are none.
  document.querySelectorAll(".citation, .citation-list").forEach((each) => each.removeAttribute("role"));
  // The parameters of a signature are laid out as a list of definitions without terms.
  document.querySelectorAll(".sig dl").forEach((each) => each.setAttribute("role", "none"));
});
