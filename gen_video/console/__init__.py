"""The console: pages for people with a browser. A door: it translates, and decides nothing."""
