#!/usr/bin/python3
"""browser-page.py PORT-FILE: serves, on loopback, a page that writes localStorage, IndexedDB and cookies all the time, and goes on to
the next page of its kind every second, so that there is history."""
import http.server
import os
import sys

PAGE = b"""<!doctype html><title>busy</title><script>
const n = Number(location.pathname.split('/')[2]) || 0, kind = location.pathname.split('/')[1];
let i = 0;
const request = indexedDB.open('busy', 1);
request.onupgradeneeded = () => request.result.createObjectStore('rows', {keyPath: 'id'});
request.onsuccess = () => setInterval(() => {
  const store = request.result.transaction('rows', 'readwrite').objectStore('rows');
  store.put({id: i % 500, body: 'x'.repeat(Math.random() * 3000), page: n});
}, 20);
setInterval(() => {
  i++;
  localStorage.setItem('key' + i % 50, n + ':' + i + 'y'.repeat(Math.random() * 500));
  document.cookie = 'cookie' + i % 20 + '=' + n + '-' + i + ';max-age=86400;path=/';
}, 20);
setTimeout(() => { location.href = '/' + kind + '/' + (n + 1); }, 1000);
</script>busy"""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Set-Cookie", f"last={os.urandom(4).hex()}; Max-Age=86400")
        self.end_headers()
        self.wfile.write(PAGE)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
    file.write(str(server.server_address[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
