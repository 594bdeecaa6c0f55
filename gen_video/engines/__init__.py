"""Engines: everything that turns a prompt into pixels, behind one Protocol."""
