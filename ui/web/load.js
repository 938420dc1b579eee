// Starts a component of the page: imports its module and calls start(). If that fails, the page says so. Gradio
// evaluates this file as text, not as a module, when it has built the component; ui/scripts.py appends the arguments.

/**
 * @param {{ element: HTMLElement, props: any, server: any }} gradio
 * @param {string} address of a module that exports `start`, relative to the page's root
 */
(gradio, address) => {
  const SLOW_MS = 10000;
  const BLOCKED = "The page's scripts could not be loaded, so its buttons do nothing. Please reload the page; "
    + "if that does not help, look whether your browser or network blocks scripts.";
  const SLOW = "The page still waits for its scripts, without which its buttons do nothing. If it takes long, please reload the page.";
  const message = /** @type {HTMLElement} */ (gradio.element.querySelector("[role=status]"));
  const others = [...gradio.element.firstElementChild?.children ?? []].filter((node) => !node.contains(message));

  /** Disables the page and says why; "" enables it. @param {string} text */
  const block = (text) => {
    message.textContent = text;
    message.classList.toggle("problem", text !== "");
    for (const node of others) /** @type {HTMLElement} */ (node).inert = text !== "";
  };
  const timer = setTimeout(() => block(SLOW), SLOW_MS);
  import(new URL(address, document.baseURI).href).then(({ start }) => {
    clearTimeout(timer);
    block("");
    start(gradio);
  }).catch((error) => {
    clearTimeout(timer);
    console.error(error);
    block(BLOCKED);
  });
}
