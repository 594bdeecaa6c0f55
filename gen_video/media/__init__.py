"""Media: pixels to files and files to pixels, in memory."""
