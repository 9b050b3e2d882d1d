"""Where rows come from: files, Delta, databases, code of your own."""
