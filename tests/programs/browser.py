"""Chromium, without a window, loading a page of many objects."""
import re

from servers import *

COUNT = 50
PAGE = """<p id=said>waiting</p><script>
async function hash(i) {
    let body = await (await fetch("o" + i)).arrayBuffer();
    return [...new Uint8Array(await crypto.subtle.digest("SHA-256", body))].map(b => b.toString(16).padStart(2, "0")).join("");
}
Promise.all([...Array(%d).keys()].map(hash)).then(all => said.textContent = all.join(" "), error => said.textContent = error);
</script>"""


class Page:
    """Written where the world's nginx serves it; `words` is the command that prints it when the browser has loaded all. A browser that
    cannot have its sandbox ends at once ("No usable sandbox!"): one that has loaded the page has one."""

    def __init__(self, world, *options):
        sizes = [20011 + 5003 * i for i in range(COUNT)]
        for i, size in enumerate(sizes):
            world.file(f"o{i}", size)
        with open(f"{world.room}/www/index.html", "w") as file:
            file.write(PAGE % COUNT)
        self.hashes = [digest(size) for size in sizes]
        self.words = ["chromium", "--headless", "--disable-gpu", "--ignore-certificate-errors", f"--user-data-dir={world.home}/chromium",
                      "--virtual-time-budget=20000", "--dump-dom", *options, f"https://{SERVER}:8443/index.html"]
        self.env = {**os.environ, "HOME": world.home}

    def compare(self, said):
        found = re.search(r"<p id=\"said\">(.*?)</p>", said)
        assert found and found[1].split() == self.hashes, said[:500]

    def __str__(self):
        return f"a page, and {COUNT} objects equal"
