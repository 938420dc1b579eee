"""The parts of the page. Python here turns requests into answers; the browser's side lies beside it."""
