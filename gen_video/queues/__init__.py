"""Wake-ups: how a worker on another machine hears that there is work."""
